"""How long to wait before Redis is tried again: a little at first, then longer; never the same for all."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 0.03
LONGEST_S: Final = 0.5
GROWTH: Final = 1.6
# Processes that lost the same Redis at the same moment must not all knock at the same moments.
JITTER: Final = 0.5


class BackOff:
    """The pauses of one who tries again.

    Attributes:
        tries: pauses since it last worked; who tells of a failure tells it at the first.
    """

    def __init__(self, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        """Begin with about `first_s`; no pause is longer than `longest_s`."""
        self._first_s = first_s
        self._longest_s = longest_s
        self.tries = 0
        self._next_s = first_s

    def next_s(self) -> float:
        """Return the pause before the next try; half of it is a matter of chance."""
        self.tries += 1
        pause_s, self._next_s = self._next_s, min(self._next_s * GROWTH, self._longest_s)
        return pause_s * (1 - JITTER * random.random())  # noqa: S311  a die

    def reset(self) -> None:
        """Begin anew: it worked."""
        self.tries = 0
        self._next_s = self._first_s
