from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.control.rules.actions import Action, Change
from dispatcher.control.rules.evidence import Measures
from dispatcher.control.rules.experiment import TunerExperiment, judge
from dispatcher.control.rules.tuner_state import MAX_KEPT, TunerState
from dispatcher.messages import TunerMode
from tests.unit.control.rules.tuner_ticks import WELL, Ticking, evidence, llm, worker

FAILING = evidence(replace(WELL, errors=0.2), instances=(llm("a", error_ratio=0.4), llm("b")), devices=30)
HEALED = evidence(instances=(llm("a", priority_override="low"), llm("b", priority_override="high")))
LEAKING = evidence(
    replace(WELL, memory=0.95), workers=(worker("llm@a", megabytes=900), worker("llm@b", megabytes=90))
)


def kept_experiment(
    number: int, what: str = "llm", *, absent_since_s: float | None = None
) -> TunerExperiment:
    change = Change(what=what, before=4, after=8)
    return TunerExperiment(
        number=number,
        begun_at_s=0.0,
        cause="response",
        action=Action(kind="pool", target=what, changes=(change,)),
        why="tasks wait",
        before=replace(WELL, response=2000.0),
        absent_since_s=absent_since_s,
    )


def test_a_cause_that_lasts_is_answered_by_one_action() -> None:
    tuner = Ticking()
    assert tuner.sees(FAILING, ticks=2) == []
    (tried,) = tuner.sees(FAILING)
    assert (tried.event, tried.number, tried.act) == ("tried", 1, tried.action)
    assert tried.evidence == "errors 20.0% over 5.0%, 3 samples"
    assert tried.why == "a failed 40% of its calls"
    assert tuner.sees(FAILING) == []


def test_what_helped_is_kept_and_taken_back_when_its_cause_is_long_gone() -> None:
    tuner = Ticking()
    tuner.sees(FAILING, ticks=3)
    (kept,) = tuner.sees(HEALED, ticks=2)
    assert (kept.event, kept.verdict) == ("kept", "errors 20.0% → 0.0%")
    assert tuner.sees(HEALED, ticks=5) == []
    (reversed_,) = tuner.sees(HEALED)
    assert (reversed_.event, reversed_.act) == ("reversed", kept.action.inverse())
    assert reversed_.verdict == "errors is gone for 300 s"
    assert tuner.state.kept == ()


def test_what_came_back_after_a_reversal_is_kept_twice_as_long() -> None:
    tuner = Ticking()
    for _ in range(2):
        while tuner.events.count("kept") == tuner.events.count("reversed"):
            tuner.sees(FAILING if tuner.state.pending is None else HEALED)
        began = tuner.now
        while tuner.events[-1] != "reversed":
            tuner.sees(HEALED)
        lasted = tuner.now - began
    assert lasted == pytest.approx(660, abs=60)
    assert tuner.state.relapses_of("prefer llm") == 2


def test_what_did_not_help_is_undone_and_something_else_is_tried() -> None:
    tuner = Ticking()
    tuner.sees(FAILING, ticks=3)
    (undone,) = tuner.sees(FAILING, ticks=2)
    assert undone.event == "undone"
    assert undone.act == undone.action.inverse()
    assert undone.verdict == "errors 20.0% → 20.0%, that is no help"
    (second,) = tuner.sees(FAILING, ticks=3)
    assert second.action.key == "cap llm/a"
    tuner.sees(FAILING, ticks=9)
    assert tuner.events == ["tried", "undone", "tried", "undone", "tried", "undone"]


def test_an_action_comes_again_after_its_cool_down() -> None:
    tuner = Ticking()
    alone = evidence(FAILING.measures, instances=(llm("a", error_ratio=0.4),))
    tuner.sees(alone, ticks=5)
    assert tuner.events == ["tried", "undone"]
    assert tuner.sees(alone, ticks=14) == []
    assert [decision.event for decision in tuner.sees(alone)] == ["tried"]


def test_a_cause_that_turns_up_again_starts_the_time_of_its_absence_anew() -> None:
    tuner = Ticking()
    tuner.sees(FAILING, ticks=3)
    tuner.sees(HEALED, ticks=6)
    tuner.sees(evidence(replace(WELL, errors=0.046)))
    assert tuner.sees(HEALED, ticks=5) == []
    assert [decision.event for decision in tuner.sees(HEALED)] == ["reversed"]


def test_what_helped_before_is_tried_again_at_the_first_sign_of_its_cause() -> None:
    tuner = Ticking()
    tuner.sees(FAILING, ticks=3)
    tuner.sees(HEALED, ticks=30)
    assert tuner.events == ["tried", "kept", "reversed"]
    (again,) = tuner.sees(FAILING)
    assert (again.event, again.action.key) == ("tried", "prefer llm")


def test_a_sign_of_another_cause_is_only_a_sign() -> None:
    tuner = Ticking(state=TunerState().with_relapse("cap llm/z", 3600.0))
    assert tuner.sees(FAILING) == []


def test_a_restart_ends_by_itself_whatever_its_verdict() -> None:
    tuner = Ticking()
    (tried,) = tuner.sees(LEAKING, ticks=3)
    assert tried.action.in_words() == "restart llm@a"
    (done,) = tuner.sees(LEAKING, ticks=2)
    assert (done.event, done.act, tuner.state.kept) == ("done", None, ())
    assert "no help" in done.verdict


def test_a_restart_that_did_not_help_is_left_alone_for_longer_than_one_that_did() -> None:
    rests = []
    for after in (LEAKING, replace(LEAKING, measures=WELL)):
        tuner = Ticking()
        tuner.sees(LEAKING, ticks=3)
        (done,) = tuner.sees(after, ticks=2)
        rests.append(tuner.state.cools_down_until(done.action.key) - tuner.now)
    assert rests == [7200.0, 900.0]


def test_an_observer_says_once_what_it_would_do() -> None:
    tuner = Ticking("observe")
    (observed,) = tuner.sees(FAILING, ticks=3)
    assert (observed.event, observed.act) == ("observed", None)
    (other,) = tuner.sees(FAILING)
    assert other.action.key != observed.action.key


def test_one_that_is_off_only_looks() -> None:
    tuner = Ticking("off")
    assert tuner.sees(FAILING, ticks=5) == []
    assert len(tuner.state.history) == 5


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_hands_off_takes_back_what_is_kept_the_newest_first(mode: TunerMode) -> None:
    tuner = Ticking(
        mode,
        TunerState(kept=(kept_experiment(1), kept_experiment(2, "tts")), pending=kept_experiment(3, "asr")),
    )
    decided = tuner.sees(evidence(), ticks=4)
    assert [(each.event, each.number) for each in decided] == [("undone", 3), ("undone", 2), ("undone", 1)]
    assert decided[0].verdict == f"the mode is {mode}"


def test_what_a_later_action_stands_on_is_not_taken_back_first() -> None:
    gone, there = kept_experiment(1, absent_since_s=0.0), replace(kept_experiment(2), cause="cpu")
    tuner = Ticking(state=TunerState(kept=(gone, there)))
    assert tuner.sees(evidence(replace(WELL, cpu=0.8))) == []
    other = Ticking(state=TunerState(kept=(gone, replace(kept_experiment(2, "tts"), cause="cpu"))))
    assert [each.number for each in other.sees(evidence(replace(WELL, cpu=0.8)))] == [1]


def test_no_more_is_kept_than_a_person_can_follow() -> None:
    many = tuple(replace(kept_experiment(number, f"q{number}"), cause="cpu") for number in range(MAX_KEPT))
    tuner = Ticking(state=TunerState(kept=many))
    assert tuner.sees(evidence(FAILING.measures, instances=FAILING.instances), ticks=4)[:1] == []


def test_a_person_takes_an_action_back_and_it_is_left_alone_for_a_day() -> None:
    tuner = Ticking()
    tuner.sees(FAILING, ticks=3)
    tuner.state, (undone,) = tuner.tick.undo(tuner.state, 1)
    assert (undone.event, undone.verdict, undone.act) == (
        "undone",
        "taken back by hand",
        undone.action.inverse(),
    )
    assert tuner.state.cools_down_until("prefer llm") == tuner.now + 86_400
    (other,) = tuner.sees(FAILING, ticks=3)
    assert other.action.key == "cap llm/a"
    assert tuner.tick.undo(tuner.state, 99) == (tuner.state, ())


def test_an_action_that_cannot_act_counts_as_never_tried() -> None:
    tuner = Ticking()
    (tried,) = tuner.sees(FAILING, ticks=3)
    tuner.state, (refused,) = tuner.tick.refuse(tuner.state, tried, "nobody answers")
    assert (refused.event, refused.verdict, refused.act) == ("refused", "nobody answers", None)
    assert tuner.state.pending is None
    again, _ = tuner.tick.refuse(tuner.state, tried, "still nobody")
    assert again.cools_down_until(tried.action.key) > tuner.now


def judged(after: Measures, before: Measures | None = None) -> tuple[bool, str]:
    return tuple(judge(replace(kept_experiment(1), before=before or kept_experiment(1).before), after))  # type: ignore[return-value]


def test_a_verdict_needs_a_move_of_a_tenth_or_the_end_of_the_cause() -> None:
    assert judged(replace(WELL, response=1790.0))[0]
    assert not judged(replace(WELL, response=1900.0))[0]
    assert judged(replace(WELL, response=990.0)) == (True, "response 2000 ms → 990 ms")


def test_what_cannot_be_measured_was_no_help() -> None:
    assert judged(Measures()) == (False, "response could not be measured since")


def test_help_that_harms_something_else_is_no_help() -> None:
    assert judged(replace(WELL, response=500.0, cpu=0.9)) == (False, "cpu 30.0% → 90.0%, that is worse")
    unknown = replace(kept_experiment(1).before, cpu=None)
    assert judged(replace(WELL, response=500.0, cpu=0.9), unknown)[1].startswith("cpu unknown")
    high = replace(kept_experiment(1).before, memory=0.92)
    assert judged(replace(WELL, response=500.0, memory=0.93), high)[0]
    assert not judged(replace(WELL, response=500.0, errors=0.2), replace(high, errors=0.1))[0]
