"""Event loop of a process: uvloop, or asyncio's own where uvloop is not to be had (Windows)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

uvloop: Any
try:
    import uvloop
except ImportError:
    uvloop = None

Result = TypeVar("Result")

LAG_INTERVAL_S: Final = 0.25


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that runs nothing yet."""
    loop: asyncio.AbstractEventLoop = (uvloop or asyncio).new_event_loop()
    return loop


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on a loop of its own and return its result, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)


class LoopLag:
    """How late the event loop wakes up: what a packet waits at most before it is sent.

    Attributes:
        longest_s: since it was last taken.
    """

    def __init__(self) -> None:
        """Measure nothing yet."""
        self.longest_s = 0.0

    def take(self) -> float:
        """Return the longest lag since the last call."""
        longest_s, self.longest_s = self.longest_s, 0.0
        return longest_s

    async def watch(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_at = loop.time() + LAG_INTERVAL_S
            await asyncio.sleep(LAG_INTERVAL_S)
            self.longest_s = max(self.longest_s, loop.time() - due_at)
