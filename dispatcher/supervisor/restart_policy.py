"""Restart policy of a process: the pause before its next start, or giving up. Pure: times are passed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dispatcher.backoff import BackOff

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
HEALTHY_AFTER_S: Final = 60.0
# Not less: on a small host that starts twelve processes at once, imports alone take several seconds.
QUICK_EXIT_S: Final = 10.0
QUICK_EXITS_ALLOWED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How one run of a process went.

    Attributes:
        lasted_s: from its start to its end.
        ready_s: how long it was ready; None when it never was.
        is_stopped: it was ended in good order, with SIGTERM.
        code: its exit code.
        makes_way: it goes on, without an exit code yet, until the next run serves.
    """

    lasted_s: float
    ready_s: float | None
    is_stopped: bool = False
    code: int = 0
    makes_way: bool = False


class RestartPolicy:
    """At once the first time, then exponential back-off from 0.5 to 30 s; forgotten after a minute of health.

    A process that served until now is missed: without the broker every turn waits. One that never was ready
    has nothing to come back to.

    A process that an operator ends with SIGTERM has not crashed: it comes back at once, however often, and
    nothing is counted.

    A process that was never ready and ends within 10 s five times in a row cannot start at all
    (a wrong option, a missing file): starting it for ever would only fill its log.

    Attributes:
        runs: so many have ended.
    """

    def __init__(self) -> None:
        self.runs = 0
        self._pauses = BackOff(first_s=FIRST_DELAY_S, longest_s=LONGEST_DELAY_S, growth=2, jitter=0)
        self._was_missed = False
        self._quick_exits = 0
        self._was_ready = False

    def next_delay_s(self, run: RunOutcome, *, is_requested: bool = False) -> float | None:
        """Return the pause before the next start, none after a requested restart, or None to give up."""
        self.runs += 1
        self._was_ready = self._was_ready or run.ready_s is not None
        if is_requested or run.makes_way or (run.is_stopped and run.ready_s is not None):
            return 0.0
        self._quick_exits = self._quick_exits + 1 if run.lasted_s < QUICK_EXIT_S else 0
        if not self._was_ready and self._quick_exits >= QUICK_EXITS_ALLOWED:
            return None
        if run.ready_s is not None and run.ready_s >= HEALTHY_AFTER_S:
            self._pauses.reset()
            self._was_missed = False
        if self._was_ready and not self._was_missed and not self._pauses.tries:
            self._was_missed = True
            return 0.0
        return self._pauses.next_s()
