"""Experiment with one action: the measures before it, and the verdict after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from dispatcher.control.rules.actions import Action
from dispatcher.control.rules.evidence import CAUSES, Cause, Measures
from dispatcher.control.rules.symptoms import limit

# The cause has to move by this part of what it was, or to end; less is chance.
HELPED_RATIO: Final = 0.1
# Another number may rise by this part before it counts as harm, once it is over its own limit.
HARMED_RATIO: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerExperiment:
    """An action that was taken, and why.

    Attributes:
        number: names it for people.
        begun_at_s: when the action was asked for.
        before: medians over the samples that showed the cause.
        absent_since_s: since when the cause is absent; None while it holds (only where it was kept).
    """

    number: int
    begun_at_s: float
    cause: Cause
    action: Action
    why: str
    before: Measures
    absent_since_s: float | None = None


class TunerVerdict(NamedTuple):
    """Whether to keep an action, and the numbers for it."""

    keep: bool
    reason: str


def judge(experiment: TunerExperiment, after: Measures) -> TunerVerdict:
    """Return the verdict on an action, from the medians of the samples since."""
    harm = _harm(experiment, after)
    if harm:
        return TunerVerdict(keep=False, reason=harm)
    cause = experiment.cause
    was, now = experiment.before.of(cause), after.of(cause)
    if was is None or now is None:
        return TunerVerdict(keep=False, reason=f"{cause} could not be measured since")
    moved = f"{cause} {number(cause, was)} → {number(cause, now)}"
    helped = now <= limit(cause) or now <= was * (1 - HELPED_RATIO)
    return TunerVerdict(keep=helped, reason=moved if helped else f"{moved}, that is no help")


def _harm(experiment: TunerExperiment, after: Measures) -> str:
    """Return which other number went over its limit, or further over it; empty where none did."""
    for cause in CAUSES:
        was, now = experiment.before.of(cause), after.of(cause)
        if cause == experiment.cause or now is None or now <= limit(cause):
            continue
        if was is None or now > max(was, limit(cause)) * (1 + HARMED_RATIO) or was <= limit(cause):
            return f"{cause} {number(cause, was)} → {number(cause, now)}, that is worse"
    return ""


def number(cause: Cause, value: float | None) -> str:
    """Return a measure as people read it."""
    if value is None:
        return "unknown"
    return f"{value:.0f} ms" if cause == "response" else f"{value:.1%}"
