"""How recorded decisions become calls, what a moved call takes, and how both sides are told."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from dispatcher.errors import UnknownName
from dispatcher.ops.replay.recorded_calls import NEAREST, Estimate, Estimator, RecordedCall, calls_of
from dispatcher.ops.replay.replay_figures import Comparison, compare, most_at_once
from dispatcher.ops.replay.replay_run import ReplayPlan, refuse_too_few
from dispatcher.ops.replay.replay_view import comparison_view, notes, turn_view
from dispatcher.ops.replay.replay_world import Outcome, Replayed, ReplayedAttempt
from dispatcher.routing.decisions import Decision, End


def decision(
    instance: str,
    *,
    at_ms: int = 0,
    turn: str = "a-turn",
    took_ms: float = 100,
    outcome: str = "ok",
    failed: tuple[str, ...] = (),
    ended: bool = True,
) -> Decision:
    others = tuple(f"{name} failed this call" for name in failed)
    return Decision(
        at_ms=at_ms,
        turn_id=turn,
        service="llm",
        lease_id=f"{turn}-{at_ms}",
        instance=instance,
        reason="round_robin: normal priority, in turn",
        candidates=(f"{instance} 0/4", *others),
        end=End(outcome=outcome, latency_ms=took_ms) if ended else None,
    )


def call(*attempts: Decision) -> RecordedCall:
    return RecordedCall(at_ms=attempts[0].at_ms, turn_id=attempts[0].turn_id, attempts=attempts)


def estimator(*attempts: Decision) -> Estimator:
    return Estimator([call(each) for each in attempts], random.Random(1))


def replayed(recorded: RecordedCall, *attempts: tuple[str, Estimate], waited_ms: float = 0.0) -> Replayed:
    made = [
        ReplayedAttempt(instance=name, reason="because", began_ms=float(recorded.at_ms), estimate=estimate)
        for name, estimate in attempts
    ]
    return Replayed(call=recorded, lease_id="1", attempts=made, waited_ms=waited_ms)


def printed(view: RenderableType) -> str:
    console = Console(width=160, color_system=None)
    with console.capture() as capture:
        console.print(view)
    return " ".join(capture.get().split())


def test_a_probe_that_nobody_waited_for_is_no_call_to_replay() -> None:
    answered, beside = decision("A"), decision("B", at_ms=1, outcome="probed")
    probe = replace(beside, reason="round_robin: probe, unheard")
    calls, left_out = calls_of([answered, probe])
    assert [each.attempts for each in calls] == [(answered,)]
    assert left_out == 0


def test_an_attempt_after_a_failure_belongs_to_the_call_that_failed() -> None:
    first = decision("A", at_ms=1, outcome="failed")
    other_sentence = decision("B", at_ms=2)
    again = decision("B", at_ms=3, failed=("A",))
    calls, left_out = calls_of([first, other_sentence, again])
    assert [each.attempts for each in calls] == [(first, again), (other_sentence,)]
    assert left_out == 0


def test_the_same_instance_in_another_turn_is_another_call() -> None:
    calls, _ = calls_of(
        [decision("A", at_ms=1, outcome="failed"), decision("B", at_ms=2, turn="b", failed=("A",))]
    )
    assert [each.turn_id for each in calls] == ["a-turn", "b"]


def test_a_decision_without_an_end_is_left_out_and_counted() -> None:
    calls, left_out = calls_of([decision("A", ended=False), decision("A", at_ms=5)])
    assert [each.at_ms for each in calls] == [5]
    assert left_out == 1


def test_a_call_that_stays_takes_what_was_recorded() -> None:
    own = decision("A", took_ms=123, outcome="ignored")
    found = estimator(own).attempt(call(own), "A", 0)
    assert found == Estimate(outcome="ignored", latency_ms=123, source="recorded")


def test_a_call_that_moves_is_as_much_longer_than_usual_as_it_was() -> None:
    usual = [decision("A", at_ms=each, took_ms=100) for each in range(5)]
    there = [decision("B", at_ms=each, took_ms=40) for each in range(5)]
    long_one = decision("A", at_ms=2, took_ms=300)
    found = estimator(*usual, *there, long_one).attempt(call(long_one), "B", 2)
    assert (found.outcome, found.source) == ("ok", "moved")
    assert found.latency_ms == pytest.approx(120)


def test_only_the_calls_nearest_in_time_say_what_a_moved_call_takes() -> None:
    own = [decision("A", at_ms=each, took_ms=100) for each in range(0, 4000, 100)]
    early = [decision("B", at_ms=each, took_ms=50) for each in range(NEAREST)]
    late = [decision("B", at_ms=9_000 + each, took_ms=500) for each in range(NEAREST)]
    known = estimator(*own, *early, *late)
    assert known.attempt(call(own[0]), "B", 0).latency_ms == pytest.approx(50)
    assert known.attempt(call(own[0]), "B", 9_500).latency_ms == pytest.approx(500)


def test_a_moved_call_fails_as_often_as_those_that_were_recorded_there() -> None:
    own = decision("A")
    failing = [decision("B", at_ms=each, took_ms=5, outcome="failed") for each in range(NEAREST)]
    found = estimator(own, *failing).attempt(call(own), "B", 0)
    assert found == Estimate(outcome="failed", latency_ms=5, source="moved")


def test_a_call_that_failed_says_nothing_of_its_length() -> None:
    own = decision("A", outcome="failed", took_ms=1)
    there = decision("B", took_ms=40)
    assert estimator(own, there).attempt(call(own), "B", 0).latency_ms == 40


def test_an_instance_without_any_record_is_guessed_from_all_of_them() -> None:
    own = decision("A", took_ms=100)
    assert estimator(own).attempt(call(own), "new", 0).source == "guessed"


@pytest.mark.parametrize(
    ("spans", "most"),
    [([], 0), ([(0, 10), (10, 20)], 1), ([(0, 10), (5, 20), (9, 11)], 3), ([(0, 1), (5, 6)], 1)],
)
def test_calls_at_once_are_those_that_overlap(spans: list[tuple[float, float]], most: int) -> None:
    assert most_at_once(spans) == most


def moved_one() -> Comparison:
    """Two calls of A: one stays, one waits and moves to B, where it takes half as long."""
    calls = [call(decision("A", at_ms=0, took_ms=100)), call(decision("A", at_ms=50, took_ms=100))]
    outcome = Outcome(
        calls=(
            replayed(calls[0], ("A", Estimate(outcome="ok", latency_ms=100, source="recorded"))),
            replayed(calls[1], ("B", Estimate(outcome="ok", latency_ms=50, source="moved")), waited_ms=7),
        )
    )
    return compare(calls, outcome, left_out=3)


def test_both_sides_are_counted_for_each_instance_and_for_all() -> None:
    found = moved_one()
    assert [(row.name, row.then.attempts, row.now.attempts) for row in found.rows] == [
        ("A", 2, 1),
        ("B", 0, 1),
    ]
    assert [(row.then.share, row.now.share) for row in found.rows] == [(1.0, 0.5), (0.0, 0.5)]
    assert (found.total.then.peak, found.total.now.peak) == (2, 2)
    assert (found.total.then.mean_ms, found.total.now.mean_ms) == (100, 75)
    assert found.rows[1].then.percentile_ms(0.95) is None
    assert found.sources == Counter(recorded=1, moved=1)


def test_what_the_figures_rest_on_is_told_beside_them() -> None:
    told = printed(comparison_view(moved_one(), "of llm"))
    assert "2 calls in 0 s of llm" in told
    assert " A 2 → 1 100.0% → 50.0% 2 → 1 100 → 100 " in told
    assert " B 0 → 1 0.0% → 50.0% 0 → 1 – → 50 " in told
    assert "waits for a slot in the replay: 1 calls, p50 7 ms" in told
    assert "1 are as recorded" in told
    assert "1 moved and are estimated from the 20 calls recorded nearest in time" in told
    assert "left out: 3 decisions without an end" in told
    assert "guess" not in told


def test_a_call_that_got_no_slot_counts_as_failed() -> None:
    recorded = call(decision("A"))
    lost = replayed(recorded, waited_ms=60_000)
    lost.gave_up = True
    found = compare([recorded], Outcome(calls=(lost,)), left_out=0)
    assert (found.failed_then, found.failed_now) == (0, 1)
    assert any("1 got none in time" in line for line in notes(found))
    assert "no slot" in printed(turn_view([recorded], [lost]))


@pytest.mark.parametrize(
    ("last", "calls", "told"), [(5, 30, "--last 5 says too little"), (None, 19, "19 finished llm calls")]
)
def test_too_few_calls_are_refused(last: int | None, calls: int, told: str) -> None:
    plan = ReplayPlan(algorithm=None, service="llm", last=last, turn="", config=None, seed=1)
    with pytest.raises(UnknownName, match=told):
        refuse_too_few([call(decision("A"))] * calls, plan)


def test_a_turn_is_told_call_by_call_with_every_attempt() -> None:
    recorded = call(decision("A", outcome="failed", took_ms=5), decision("B", took_ms=80, failed=("A",)))
    now = replayed(recorded, ("C", Estimate(outcome="ok", latency_ms=60, source="guessed")))
    told = printed(turn_view([recorded], [now]))
    assert "1 A failed 5 ms → B ok 80 ms C ok 60 ms (guessed) because" in told
