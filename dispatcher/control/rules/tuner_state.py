"""State of the tuner between two ticks; small and bounded, so that it fits one key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from dispatcher.control.rules.actions import Action
from dispatcher.control.rules.evidence import Cause, Sample
from dispatcher.control.rules.experiment import TunerExperiment

# tried: the action was asked for · kept · undone: it did not help, or a person wanted so · reversed: it
# helped, and its cause is gone · done: it ended by itself · refused: it could not act · observed: it would
# have been tried.
Event: TypeAlias = Literal["tried", "kept", "undone", "reversed", "done", "refused", "observed"]

MAX_KEPT: Final = 20
MAX_REMEMBERED: Final = 100
# A cause that comes back after each reversal is given longer each time, up to this many doublings.
MAX_RELAPSES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """An action that is left alone until a time."""

    key: str
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Relapse:
    """How often an action was taken back after it had helped, and when last."""

    key: str
    times: int
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerDecision:
    """One step of the tuner, as the log keeps it.

    Attributes:
        number: of the experiment that it belongs to.
        act: action to take for it now; None where there is none.
        why: the evidence, in words; verdict: its outcome.
    """

    number: int
    at_s: float
    event: Event
    cause: Cause
    action: Action
    why: str
    evidence: str
    verdict: str = ""
    act: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerState:
    """All of the state.

    Attributes:
        history: samples, oldest first, 100 at most.
        pending: the action that waits for its verdict; there is never a second one.
        kept: what helped and is in force, oldest first.
        changed_at_s: when anything was last changed; older samples are of another state.
        missing: kinds of action that could not act at the last tick, with the reason.
    """

    history: tuple[Sample, ...] = ()
    pending: TunerExperiment | None = None
    kept: tuple[TunerExperiment, ...] = ()
    cool_downs: tuple[CoolDown, ...] = ()
    relapses: tuple[Relapse, ...] = ()
    next_number: int = 1
    missing: tuple[tuple[str, str], ...] = ()
    changed_at_s: float = 0.0

    def cools_down_until(self, key: str) -> float:
        """Return until when an action is left alone; 0 where it is not."""
        return max((each.until_s for each in self.cool_downs if each.key == key), default=0.0)

    def relapses_of(self, key: str) -> int:
        """Return how often an action was taken back after it had helped."""
        return next((each.times for each in self.relapses if each.key == key), 0)

    def with_cool_down(self, key: str, *, until_s: float) -> TunerState:
        """Return the state with an action left alone until a time."""
        others = tuple(each for each in self.cool_downs if each.key != key)
        return replace(self, cool_downs=(*others, CoolDown(key=key, until_s=until_s))[-MAX_REMEMBERED:])

    def with_relapse(self, key: str, now: float) -> TunerState:
        """Return the state with one more reversal of an action counted."""
        times = min(MAX_RELAPSES, self.relapses_of(key) + 1)
        others = tuple(each for each in self.relapses if each.key != key)
        fresh = Relapse(key=key, times=times, at_s=now)
        return replace(self, relapses=(*others, fresh)[-MAX_REMEMBERED:])

    def without(self, experiment: TunerExperiment) -> TunerState:
        """Return the state without an experiment, pending or kept."""
        pending = None if self.pending == experiment else self.pending
        return replace(self, pending=pending, kept=_others(self.kept, experiment.number))

    def find(self, number: int) -> TunerExperiment | None:
        """Return the experiment of a number while it is in force."""
        pending = () if self.pending is None else (self.pending,)
        return next((each for each in (*pending, *self.kept) if each.number == number), None)


def _others(kept: Iterable[TunerExperiment], number: int) -> tuple[TunerExperiment, ...]:
    return tuple(each for each in kept if each.number != number)
