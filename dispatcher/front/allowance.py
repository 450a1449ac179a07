"""How often a device may send a message: so many at once, then so many a second.

A message can start a turn, which costs a task, some commands of Redis and a line in the log. One device that
sent them as fast as its network carries them took the front away from all others. Who sends more than is
allowed is read later, so that nothing is lost and nobody else waits; TCP slows him down.
"""

from __future__ import annotations

import asyncio
from typing import Final

# A stock device sends a handful at its hello, a page of tools for each question, and two or three a turn.
BURST: Final = 40
RATE_PER_S: Final = 10.0


class Allowance:
    """The messages of one connection; audio does not count, since an utterance has an end of its own."""

    def __init__(self, *, burst: int = BURST, rate_per_s: float = RATE_PER_S) -> None:
        """Begin with a full burst."""
        self._ahead_s = burst / rate_per_s
        self._each_s = 1 / rate_per_s
        self._spent_until_s: float | None = None

    def take(self, now_s: float) -> float:
        """Count a message in, and return the seconds until it may be read; 0 within what is allowed."""
        before = now_s if self._spent_until_s is None else max(now_s, self._spent_until_s)
        self._spent_until_s = before + self._each_s
        return max(0.0, self._spent_until_s - now_s - self._ahead_s)

    async def wait(self) -> bool:
        """Wait until the next message may be read, and return whether that took any time."""
        delay_s = self.take(asyncio.get_running_loop().time())
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        return delay_s > 0
