"""Exponential back-off of what is tried again: Redis, tool servers, processes, webhooks, the store."""

from __future__ import annotations

import random
from typing import Final

FIRST_PAUSE_S: Final = 0.03
MAX_PAUSE_S: Final = 0.5
GROWTH: Final = 1.6
# Processes that lost the same Redis at the same moment must not all reconnect at the same moments.
JITTER: Final = 0.5


class BackOff:
    """Pauses between attempts, each longer than the one before.

    Attributes:
        tries: pauses since the last success; a failure is logged at the first.
    """

    def __init__(
        self,
        *,
        first_s: float = FIRST_PAUSE_S,
        longest_s: float = MAX_PAUSE_S,
        growth: float = GROWTH,
        jitter: float = JITTER,
    ) -> None:
        """Begin with `first_s`.

        Args:
            first_s: the first pause.
            longest_s: no pause is longer.
            growth: so many times as long is the next pause.
            jitter: share of each pause that is random, 0..1.
        """
        self._first_s = first_s
        self._longest_s = longest_s
        self._growth = growth
        self._jitter = jitter
        self.tries = 0
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the pause before the next attempt."""
        self.tries += 1
        pause_s, self._next_s = self._next_s, min(self._next_s * self._growth, self._longest_s)
        return pause_s * (1 - self._jitter * random.random())  # noqa: S311  no secret

    def reset(self) -> None:
        """Begin anew after a success."""
        self.tries = 0
        self._next_s = self._first_s
