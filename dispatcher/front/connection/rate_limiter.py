"""Token bucket per connection: so much at once, then so much a second.

A message can start a turn, which costs a task, some commands of Redis and a line in the log; a packet of
sound is decoded and listened to. One device that sent them as fast as its network carries them took the front
away from all others. Who sends more than is allowed is read later, so that nothing is lost and nobody else
waits; TCP slows him down.
"""

from __future__ import annotations

import asyncio
from typing import Final

# A stock device sends a handful at its hello, a page of tools for each question, and two or three a turn.
MESSAGES_AT_ONCE: Final = 40
MESSAGES_PER_S: Final = 10.0
# Packets of 5 ms, the shortest that there are, at the speed of speech; those of 60 ms at twelve times that,
# for a device that catches up after a gap of its network. A burst takes the front's loop some 50 ms.
PACKETS_AT_ONCE: Final = 100
PACKETS_PER_S: Final = 200.0


class RateLimiter:
    """What one connection may send of a kind."""

    def __init__(self, *, burst: int, rate_per_s: float) -> None:
        """Begin with a full burst."""
        self._ahead_s = burst / rate_per_s
        self._each_s = 1 / rate_per_s
        self._spent_until_s: float | None = None

    def take(self, now_s: float) -> float:
        """Count one in, and return the seconds until it may be read; 0 within what is allowed."""
        before = now_s if self._spent_until_s is None else max(now_s, self._spent_until_s)
        self._spent_until_s = before + self._each_s
        return max(0.0, self._spent_until_s - now_s - self._ahead_s)

    async def wait(self) -> bool:
        """Wait until the next one may be read, and return whether that took any time."""
        delay_s = self.take(asyncio.get_running_loop().time())
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        return delay_s > 0


def for_messages() -> RateLimiter:
    """Return the allowance of a connection's messages."""
    return RateLimiter(burst=MESSAGES_AT_ONCE, rate_per_s=MESSAGES_PER_S)


def for_sound() -> RateLimiter:
    """Return the allowance of a connection's packets of sound."""
    return RateLimiter(burst=PACKETS_AT_ONCE, rate_per_s=PACKETS_PER_S)
