"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.request import urlopen

Found = TypeVar("Found")

# Long enough for a machine that does something else beside; a passing test never waits so long.
WAIT_TIMEOUT_S: Final = 120.0
WAIT_POLL_INTERVAL_S: Final = 0.02
COMMAND_POLL_INTERVAL_S: Final = 1.0


def is_ready(url: str) -> bool:
    """Return whether the front at a URL says that it can take a turn."""
    try:
        with urlopen(f"{url.rstrip('/')}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def eventually(
    condition: Callable[[], Found],
    *,
    what: str,
    within_s: float = WAIT_TIMEOUT_S,
    poll_interval_s: float = WAIT_POLL_INTERVAL_S,
) -> Found:
    """Return the first true answer of a condition; the test fails when none comes in time."""
    give_up_at = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < give_up_at, f"{what}: not within {within_s:g} s"
        time.sleep(poll_interval_s)
    return found


def eventually_says(condition: Callable[[], Found], *, what: str, within_s: float = WAIT_TIMEOUT_S) -> Found:
    """Wait for what a command says; it runs so seldom that it leaves the machine to what is waited for."""
    return eventually(condition, what=what, within_s=within_s, poll_interval_s=COMMAND_POLL_INTERVAL_S)


async def until(condition: Callable[[], object], what: str) -> None:
    """Return once a condition holds, while the loop goes on."""

    async def holds() -> bool:
        return bool(condition())

    await soon(holds, what=what)


async def soon(
    condition: Callable[[], Awaitable[Found]], *, what: str, within_s: float = WAIT_TIMEOUT_S
) -> Found:
    """Return the first true answer of a condition that has to be awaited."""
    give_up_at = time.monotonic() + within_s
    while not (found := await condition()):
        assert time.monotonic() < give_up_at, f"{what}: not within {within_s:g} s"
        await asyncio.sleep(WAIT_POLL_INTERVAL_S)
    return found
