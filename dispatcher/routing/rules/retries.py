"""Budget of retries: calls that failed and are made again on another instance.

With one instance out, each of its calls is saved by a second one elsewhere. With all of them out, second
calls save nobody and would double the load of what is about to come back. Source: Finagle, retry budget: a
share of the calls, and so many per second in any case.
"""

from __future__ import annotations

from typing import Final

RETRY_RATIO: Final = 0.2
# A handful of devices make no more than two calls per second to a service: each of theirs may be made again.
GUARANTEED_INTERVAL_S: Final = 0.5
# As many calls as a large instance holds may fail at once when it dies.
MAX_SAVED: Final = 30.0


class RetryBudget:
    """Retries that one process may make: one for five calls, and two per second in any case.

    It begins full. The floor holds only while nothing else was spent for its time, so that it does not come
    on top of the share: in a total outage at ten calls per second or more, load grows by the share alone.
    """

    def __init__(self, now: float) -> None:
        """Begin full; `now` is in seconds of any steady clock, here and in `try_spend`."""
        self._saved = MAX_SAVED
        self._spent_at = now

    def note_call(self) -> None:
        """Count a call, not counting its retries; five of them pay for one."""
        self._saved = min(self._saved + RETRY_RATIO, MAX_SAVED)

    def try_spend(self, now: float) -> bool:
        """Return whether a call may be made again now, and count it."""
        # Five fifths are one, in spite of floating point.
        if self._saved >= 1.0 - 1e-9:
            self._saved -= 1.0
        elif now - self._spent_at < GUARANTEED_INTERVAL_S:
            return False
        self._spent_at = now
        return True
