"""Symptoms: limits of R12 over a bounded history of samples, so that one spike is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dispatcher.control.rules.evidence import CAUSES, Cause, Measures, Sample, TunerEvidence, median_of

HISTORY_SAMPLES: Final = 100
LIMITS: Final = Measures(errors=0.05, memory=0.90, response=1000.0, cpu=0.85)
# A number has to fall below this part of its limit before the cause counts as cleared (hysteresis).
CLEARED_RATIO: Final = 0.9
# So many of the last samples decide, and one of them may be an outlier in either direction.
SUSTAINED_SAMPLES: Final = 3
# Fewer calls say nothing of a ratio or of a median.
MIN_CALLS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerTiming:
    """Timing of the tuner, in seconds.

    Attributes:
        history_s: age of the oldest sample that counts.
        trial_s: from an action to its verdict.
        clear_s: for how long a cause has to be absent before what was kept is taken back.
        cool_down_s: for how long an action that did not help, or would be done, is left alone.
        fruitless_s: the same after one that ends by itself, such as a restart, and did not help.
        overruled_s: the same after a person took it back.
    """

    history_s: float = 300.0
    trial_s: float = 120.0
    clear_s: float = 300.0
    cool_down_s: float = 900.0
    fruitless_s: float = 7_200.0
    overruled_s: float = 86_400.0

    def scaled(self, factor: float) -> TunerTiming:
        """Return the same at another speed: 0.01 makes seconds of minutes (tests)."""
        return TunerTiming(**{name: factor * getattr(self, name) for name in TunerTiming.__slots__})


def limit(cause: Cause) -> float:
    """Return the number above which a cause holds."""
    return LIMITS.of(cause) or 0.0


def sample_of(evidence: TunerEvidence) -> Sample:
    """Return what the history keeps; ratios that rest on too few calls are left out."""
    measures = evidence.measures
    if evidence.calls < MIN_CALLS:
        measures = replace(measures, errors=None, response=None)
    return Sample(at_s=evidence.at_s, measures=measures)


def with_sample(history: Sequence[Sample], sample: Sample) -> tuple[Sample, ...]:
    """Return the history with one more sample, bounded."""
    return (*history, sample)[-HISTORY_SAMPLES:]


def sustained(history: Sequence[Sample], *, since_s: float) -> tuple[Cause, ...]:
    """Return the causes that hold, the gravest first (how far over its limit, in parts of the limit).

    Args:
        history: oldest first.
        since_s: only samples after this count; what was measured before the last change is of another state.
    """
    recent = [sample for sample in history if sample.at_s > since_s][-SUSTAINED_SAMPLES:]
    grave = {cause: _gravity(recent, cause) for cause in CAUSES}
    return tuple(sorted((cause for cause in CAUSES if grave[cause] > 1), key=lambda each: -grave[each]))


def _gravity(recent: Sequence[Sample], cause: Cause) -> float:
    values = [value for each in recent if (value := each.measures.of(cause)) is not None]
    if len(values) < SUSTAINED_SAMPLES or values[-1] <= limit(cause):
        return 0.0
    return (median_of(recent).of(cause) or 0.0) / limit(cause)


def has_cleared(sample: Sample, cause: Cause) -> bool:
    """Return whether a sample is clear of a cause; without calls it is clear of errors and slowness."""
    value = sample.measures.of(cause)
    if value is None:
        return cause in ("errors", "response")
    return value < CLEARED_RATIO * limit(cause)
