"""Clock of one call: how long its instance takes, as the response time is learned."""

from __future__ import annotations

import time


class CallClock:
    """How long an instance takes for a call, as its response time is learned.

    Attributes:
        first_ms: how long its first result took, for a call of usual size; at least, where none came.
        cached_ratio: share of an LLM's prompt that it had read before, 0..1; None where it does not say.
        teaches: whether its end says something of the instance; not where only a part of a call was made.
    """

    def __init__(self) -> None:
        """Start now."""
        self.first_ms: float | None = None
        self.cached_ratio: float | None = None
        self.teaches = True
        self.restart()

    def begin(self) -> float:
        """Count from now on, when the call has its slot; return for how many ms it waited."""
        waited_ms = self.elapsed_ms
        self.restart()
        return waited_ms

    def restart(self) -> None:
        """Count from now on: until here the instance waited for us, not we for it."""
        self._started_at = time.monotonic()

    @property
    def elapsed_ms(self) -> float:
        """Time since the start."""
        return (time.monotonic() - self._started_at) * 1000
