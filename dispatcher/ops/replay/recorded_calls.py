"""Recorded decisions as calls of a replay, and the time of a call on another instance."""

from __future__ import annotations

import random
import statistics
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dispatcher.routing.decisions import Decision, End
from dispatcher.routing.rules.constants import FAILED_THIS_CALL

# So many recorded calls of an instance, nearest in time, say how long a call that moved there takes.
NEAREST: Final = 20

_FAILED: Final = f" {FAILED_THIS_CALL}"

Source = Literal["recorded", "moved", "guessed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One recorded call, its attempts on several instances taken together.

    Attributes:
        at_ms: when its first attempt got a slot, Unix time.
        attempts: at least one, in order; each has an end.
    """

    at_ms: int
    turn_id: str
    attempts: tuple[Decision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What an attempt comes to in the replay.

    Attributes:
        source: "recorded": the call was on this instance; "moved": from what was recorded of it;
            "guessed": nothing is recorded of it, so all instances of the service stand for it.
    """

    outcome: Literal["ok", "failed", "ignored"]
    latency_ms: float
    source: Source


def calls_of(decisions: Sequence[Decision]) -> tuple[tuple[RecordedCall, ...], int]:
    """Return the calls in order of arrival, and how many decisions were left out for want of an end.

    A decision that shuns instances because they failed this very call goes on with the newest call of the
    turn that was on one of them.
    """
    calls: list[list[Decision]] = []
    by_turn: dict[str, list[list[Decision]]] = defaultdict(list)
    left_out = 0
    for decision in decisions:
        if decision.is_probe:
            continue
        if decision.end is None:
            left_out += 1
            continue
        before = _goes_on_with(by_turn[decision.turn_id], _failed(decision))
        if before is not None:
            before.append(decision)
            continue
        calls.append([decision])
        by_turn[decision.turn_id].append(calls[-1])
    found = [
        RecordedCall(at_ms=each[0].at_ms, turn_id=each[0].turn_id, attempts=tuple(each)) for each in calls
    ]
    return tuple(found), left_out


def _failed(decision: Decision) -> frozenset[str]:
    """Return the instances that had failed the call before."""
    return frozenset(each.removesuffix(_FAILED) for each in decision.candidates if each.endswith(_FAILED))


def _goes_on_with(calls: Sequence[list[Decision]], failed: Collection[str]) -> list[Decision] | None:
    for call in reversed(calls):
        if call[-1].instance in failed:
            return call
    return None


class Estimator:
    """Says how long an attempt takes in the replay, and how it ends."""

    def __init__(self, calls: Sequence[RecordedCall], dice: random.Random) -> None:
        """Learn from all attempts of these calls; the dice choose among the nearest ones."""
        self._dice = dice
        self._all = sorted((each for call in calls for each in call.attempts), key=lambda each: each.at_ms)
        by_instance: dict[str, list[Decision]] = defaultdict(list)
        for attempt in self._all:
            by_instance[attempt.instance].append(attempt)
        self._by_instance: Mapping[str, Sequence[Decision]] = by_instance

    def attempt(self, call: RecordedCall, name: str, at_ms: float) -> Estimate:
        """Return what an attempt of a call comes to on an instance, begun at a time.

        A call stays as long as it was on the instance that it was recorded on. One that moves takes the
        median of the calls recorded there near that time, times how much longer or shorter than its own
        instance's median it was; it fails as often as they did.
        """
        own = next((each for each in call.attempts if each.instance == name), None)
        if own is not None:
            end = end_of(own)
            return Estimate(outcome=_outcome(end), latency_ms=end.latency_ms, source="recorded")
        there = self._near(self._by_instance.get(name) or self._all, at_ms)
        source: Source = "moved" if name in self._by_instance else "guessed"
        drawn = end_of(self._dice.choice(there))
        if drawn.outcome == "failed":
            return Estimate(outcome="failed", latency_ms=drawn.latency_ms, source=source)
        return Estimate(
            outcome="ok", latency_ms=self._scaled(call, there, at_ms, drawn.latency_ms), source=source
        )

    def _scaled(self, call: RecordedCall, there: Sequence[Decision], at_ms: float, drawn_ms: float) -> float:
        first = call.attempts[0]
        here = self._near(self._by_instance[first.instance], at_ms)
        usual_here, usual_there = _median_ms(here), _median_ms(there)
        if end_of(first).outcome != "ok" or not usual_here or not usual_there:
            return drawn_ms
        return usual_there * end_of(first).latency_ms / usual_here

    @staticmethod
    def _near(attempts: Sequence[Decision], at_ms: float) -> Sequence[Decision]:
        """Return those that began nearest to a time; about as many before as after it."""
        place = bisect_left(attempts, at_ms, key=lambda each: each.at_ms)
        begin = max(0, min(place - NEAREST // 2, len(attempts) - NEAREST))
        return attempts[begin : begin + NEAREST]


def end_of(attempt: Decision) -> End:
    """Return how an attempt ended; those of a `RecordedCall` have an end.

    Raises:
        ValueError: it has none.
    """
    if attempt.end is None:
        raise ValueError(f"attempt {attempt.lease_id} has no end")
    return attempt.end


def _outcome(end: End) -> Literal["ok", "failed", "ignored"]:
    return "ok" if end.outcome == "ok" else "failed" if end.outcome == "failed" else "ignored"


def _median_ms(attempts: Sequence[Decision]) -> float:
    """Return the median time of those that went well; 0 where none did."""
    times = [end_of(each).latency_ms for each in attempts if end_of(each).outcome == "ok"]
    return statistics.median(times) if times else 0.0
