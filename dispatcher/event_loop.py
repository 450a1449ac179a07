"""Event loop of a process: uvloop, or asyncio's own where uvloop is not to be had (Windows)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

uvloop: Any
try:
    import uvloop
except ImportError:
    uvloop = None

Result = TypeVar("Result")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that runs nothing yet."""
    loop: asyncio.AbstractEventLoop = (uvloop or asyncio).new_event_loop()
    return loop


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on a loop of its own and return its result, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
