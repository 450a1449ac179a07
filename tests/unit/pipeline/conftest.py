from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tests.support.virtual_time import VirtualLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Let the seconds of these tests take no time."""
    return {"virtual time": VirtualLoop}
