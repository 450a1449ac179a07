"""The ladder of overload: which steps are taken at which line, and how they are given back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.catalogue.overload_rules import OverloadRules
from dispatcher.routing.rules.overload import (
    STEP_UP_INTERVAL_S,
    Ladder,
    OverloadStep,
    next_ladder,
    step_of_turn,
)
from dispatcher.routing.rules.prediction import ServiceLoad
from dispatcher.routing.rules.prediction import line_s as line_of

RULES = OverloadRules()
TICK_S = 0.25
BOUND_S = RULES.steps_at_s[-1]


class Clock:
    """A ladder that is read four times a second."""

    def __init__(self, rules: OverloadRules = RULES, step: int = 0) -> None:
        self.rules, self.now_s = rules, 100.0
        self.ladder = Ladder(step=OverloadStep(step))

    def sees(self, *lines_s: float) -> list[int]:
        """Let the lines be so long at one reading after the other; return the steps."""
        found = []
        for line_s in lines_s:
            self.now_s += TICK_S
            self.ladder = next_ladder(self.ladder, line_s=line_s, now_s=self.now_s, rules=self.rules)
            found.append(int(self.ladder.step))
        return found


@pytest.mark.parametrize(
    ("step", "lines_s", "steps"),
    [
        (0, (0.0, 0.29, 0.3), [0, 0, 1]),
        # One step at a time, as far as the line asks for.
        (0, (2.5,) * 6, [1, 2, 3, 4, 4, 4]),
        # Nobody would be served in time.
        (0, (20.0,), [5]),
        # Between the bound of a step and what it is given back at nothing changes.
        (2, (0.9, 0.7, 0.71, 1.0), [2, 2, 2, 2]),
        # Half a second of calm for each step.
        (2, (0.6,) * 5, [2, 2, 1, 1, 1]),
        (2, (0.1,) * 6, [2, 2, 1, 1, 0, 0]),
        # The calm has to be in one piece.
        (1, (0.1, 0.25, 0.1, 0.1, 0.1), [1, 1, 1, 1, 0]),
        (5, (14.5, 13.5, 13.5, 13.5), [5, 5, 5, 4]),
        (3, (1.2, 2.5, 20.0), [3, 4, 5]),
    ],
)
def test_steps_are_taken_and_given_back_one_by_one(
    step: int, lines_s: tuple[float, ...], steps: list[int]
) -> None:
    assert Clock(step=step).sees(*lines_s) == steps


def test_turns_that_begin_at_once_take_no_more_than_one_step_together() -> None:
    ladder = Ladder()
    for number in range(10):
        now_s = 50.0 + number * STEP_UP_INTERVAL_S / 20
        ladder = next_ladder(ladder, line_s=2.5, now_s=now_s, rules=RULES)
    assert ladder.step is OverloadStep.NO_EXTRAS


@pytest.mark.parametrize(("highest", "steps"), [(0, [0, 0, 0]), (2, [1, 2, 2]), (4, [1, 2, 3])])
def test_no_step_above_the_highest_one_is_taken(highest: int, steps: list[int]) -> None:
    assert Clock(OverloadRules(highest_step=highest)).sees(99.0, 99.0, 99.0) == steps


def test_a_lower_highest_step_holds_at_once() -> None:
    assert Clock(OverloadRules(highest_step=3), step=5).sees(99.0, 0.1) == [3, 3]


def test_a_turn_that_finds_no_line_is_answered_in_full() -> None:
    ladder = Ladder(step=OverloadStep.LOCAL)
    assert step_of_turn(ladder, line_s=0.0, rules=RULES) is OverloadStep.FULL
    assert step_of_turn(ladder, line_s=0.1, rules=RULES) is OverloadStep.LOCAL


def test_no_turn_is_turned_away_by_a_line_that_has_become_short() -> None:
    ladder = Ladder(step=OverloadStep.TOO_MANY)
    assert step_of_turn(ladder, line_s=BOUND_S * 0.7, rules=RULES) is OverloadStep.TOO_MANY
    assert step_of_turn(ladder, line_s=BOUND_S * 0.69, rules=RULES) is OverloadStep.FILLER


def test_a_call_or_two_behind_one_slow_place_turn_nobody_away() -> None:
    slow = ServiceLoad(slots=1, in_flight=1, hold_s=8.0, workers=1, waiting=2)
    assert line_of({"llm": slow}) < BOUND_S


def test_every_step_has_words() -> None:
    assert len({step.words for step in OverloadStep}) == len(OverloadStep) == 6


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 3)), max_size=60))
def test_only_a_line_beyond_the_bound_skips_steps_and_calm_ends_every_step(
    readings: list[tuple[float, float]],
) -> None:
    ladder, now_s = Ladder(), 100.0
    for line_s, pause_s in readings:
        before, now_s = ladder.step, now_s + pause_s
        ladder = next_ladder(ladder, line_s=line_s, now_s=now_s, rules=RULES)
        jumped = ladder.step - before
        assert jumped <= 1 or (ladder.step is OverloadStep.TOO_MANY and line_s >= BOUND_S)
        assert jumped >= -1
        # A line that nobody is served in leaves no turn waiting.
        assert ladder.step is OverloadStep.TOO_MANY or line_s < BOUND_S
    for _ in range(20):
        now_s += TICK_S
        ladder = next_ladder(ladder, line_s=0.0, now_s=now_s, rules=RULES)
    assert ladder.step is OverloadStep.FULL
