"""When a second instance is asked for the same reply, and how often that may happen.

Nothing is spoken before a sentence is whole, so a stream that stalls before its first sentence can be
replaced without anyone hearing it. Source: Dean and Barroso, "The Tail at Scale", hedged requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE_S: Final = 0.6
LONGEST_WAIT_S: Final = 3.0
# A first sentence that came counts for a fifth: ten turns forget an old habit.
_NEW_SHARE: Final = 0.2
_BUDGET_RATIO: Final = 0.05
_FLOOR_EVERY_S: Final = 10.0
_MOST_SAVED: Final = 10.0
# As many failures in a row as eject an instance.
_SAVED_BY_TIME: Final = 3.0


class UsualTimes:
    """How long each instance usually takes to its first sentence, as one process sees it."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._usual_s: dict[str, float] = {}

    def note(self, instance: str, elapsed_s: float) -> None:
        """Count a first sentence that came."""
        usual_s = self._usual_s.get(instance, elapsed_s)
        self._usual_s[instance] = usual_s + _NEW_SHARE * (elapsed_s - usual_s)

    def wait_s(self, instance: str) -> float:
        """Return how long to wait for the instance's first sentence before another one is asked.

        An instance that never answered yet has no usual time and is given the patience alone.
        """
        return min(self._usual_s.get(instance, 0.0) + PATIENCE_S, LONGEST_WAIT_S)


class Suspects:
    """Instances whose first sentence is late at this very moment, as one process sees it.

    Whether one of them hangs or is only slow shows within LONGEST_WAIT_S. Until then other calls had better
    go elsewhere, or each of them would cost a second request.
    """

    def __init__(self) -> None:
        """Suspect nobody."""
        self._late: Counter[str] = Counter()

    @property
    def names(self) -> frozenset[str]:
        """Those that are suspected now."""
        return frozenset(self._late)

    @contextmanager
    def suspected(self, instance: str) -> Iterator[None]:
        """Suspect an instance for as long as the block lasts."""
        self._late[instance] += 1
        try:
            yield
        finally:
            self._late[instance] -= 1
            self._late += Counter()  # those at nought are gone


class HedgeBudget:
    """Second requests that may be made: one in twenty calls, and one every ten seconds in any case.

    Without a budget a slow moment of all instances would double their load. Time alone saves up what it
    takes to learn that an instance hangs: after three silences in a row it is ejected, and the fourth turn
    does not meet it.
    """

    def __init__(self, now: float) -> None:
        """Begin with what time alone saves up; `now` is in seconds of any steady clock, as in `spend`."""
        self._saved = _SAVED_BY_TIME
        self._seen_at = now

    def note_call(self) -> None:
        """Count a call; twenty of them pay for a second request."""
        self._saved = min(self._saved + _BUDGET_RATIO, _MOST_SAVED)

    def spend(self, now: float) -> bool:
        """Return whether a second request may be made now, and count it."""
        earned = (now - self._seen_at) / _FLOOR_EVERY_S
        self._saved = max(self._saved, min(self._saved + earned, _SAVED_BY_TIME))
        self._seen_at = now
        # Twenty twentieths are one, in spite of floating point.
        if self._saved < 1.0 - 1e-9:
            return False
        self._saved -= 1.0
        return True
