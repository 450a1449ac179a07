"""The arithmetic of a replay: what each instance did as recorded, and what it would have done."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatcher.ops.replay.recorded_calls import RecordedCall, Source, end_of
from dispatcher.ops.replay.replay_world import Outcome
from dispatcher.percentile import percentile
from dispatcher.routing.decisions import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One instance, or all together, on one side of the comparison.

    Attributes:
        attempts: how often it was given a call.
        share: of all attempts, 0..1.
        peak: most calls at once.
        failed: attempts that failed.
        times_ms: of the attempts that went well.
    """

    attempts: int
    share: float
    peak: int
    failed: int
    times_ms: tuple[float, ...]

    @property
    def mean_ms(self) -> float | None:
        """Mean time of those that went well; None where none did."""
        return statistics.fmean(self.times_ms) if self.times_ms else None

    def percentile_ms(self, share: float) -> float | None:
        """Return a percentile of those that went well; None where none did."""
        return percentile(self.times_ms, share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One instance: as recorded, and as replayed.

    Attributes:
        name: empty for the sum of all.
    """

    name: str
    then: Figures
    now: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that a replay says.

    Attributes:
        left_out: decisions without an end; they were not replayed.
        sources: what the times of the attempts in the replay rest on.
        waits_ms: of the calls that waited in the replay.
        failed_then, failed_now: calls whose last attempt failed, or that got no slot at all.
    """

    calls: int
    lasted_s: float
    left_out: int
    rows: tuple[Row, ...]
    total: Row
    sources: Counter[Source]
    waits_ms: tuple[float, ...]
    gave_up: int
    failed_then: int
    failed_now: int


def compare(calls: Sequence[RecordedCall], outcome: Outcome, *, left_out: int) -> Comparison:
    """Return the two sides; there is at least one call."""
    then = [each for call in calls for each in call.attempts]
    names = list(dict.fromkeys([*sorted({each.instance for each in then}), *_names_now(outcome)]))
    rows = tuple(
        Row(name=name, then=_then(then, [name]), now=_now(outcome, [name])) for name in sorted(names)
    )
    return Comparison(
        calls=len(calls),
        lasted_s=(calls[-1].at_ms - calls[0].at_ms) / 1000,
        left_out=left_out,
        rows=rows,
        total=Row(name="", then=_then(then, names), now=_now(outcome, names)),
        sources=Counter(each.estimate.source for call in outcome.calls for each in call.attempts),
        waits_ms=tuple(call.waited_ms for call in outcome.calls if call.waited_ms > 0),
        gave_up=sum(call.gave_up for call in outcome.calls),
        failed_then=sum(end_of(call.attempts[-1]).outcome == "failed" for call in calls),
        failed_now=sum(not call.succeeded for call in outcome.calls),
    )


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """Return how many of these begin-end times overlap at most; one that ends makes room at that moment."""
    steps = sorted(step for begin, end in spans for step in ((begin, 1), (end, -1)))
    at_once = most = 0
    for _, change in steps:
        at_once += change
        most = max(most, at_once)
    return most


def _names_now(outcome: Outcome) -> list[str]:
    return sorted({each.instance for call in outcome.calls for each in call.attempts})


def _then(attempts: Sequence[Decision], names: Sequence[str]) -> Figures:
    mine = [each for each in attempts if each.instance in names]
    spans = [(float(each.at_ms), each.at_ms + end_of(each).latency_ms) for each in mine]
    return Figures(
        attempts=len(mine),
        share=len(mine) / max(1, len(attempts)),
        peak=most_at_once(spans),
        failed=sum(end_of(each).outcome == "failed" for each in mine),
        times_ms=tuple(end_of(each).latency_ms for each in mine if end_of(each).outcome == "ok"),
    )


def _now(outcome: Outcome, names: Sequence[str]) -> Figures:
    attempts = [each for call in outcome.calls for each in call.attempts]
    mine = [each for each in attempts if each.instance in names]
    spans = [(each.began_ms, each.began_ms + each.estimate.latency_ms) for each in mine]
    return Figures(
        attempts=len(mine),
        share=len(mine) / max(1, len(attempts)),
        peak=most_at_once(spans),
        failed=sum(each.estimate.outcome == "failed" for each in mine),
        times_ms=tuple(each.estimate.latency_ms for each in mine if each.estimate.outcome == "ok"),
    )
