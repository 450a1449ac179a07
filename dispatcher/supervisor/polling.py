"""Periodic work of the supervisor that needs Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from dispatcher.errors import StateError


async def poll(step: Callable[[], Awaitable[None]], *, interval_s: float) -> None:
    """Call `step` for ever; while Redis is unreachable all stays as it is."""
    while True:
        with suppress(StateError):
            await step()
        await asyncio.sleep(interval_s)
