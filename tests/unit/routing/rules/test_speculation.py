"""When a turn begins at a pause, when it is dropped, and what may be wasted on that."""

from __future__ import annotations

import pytest

from dispatcher.routing.rules.prediction import ServiceLoad
from dispatcher.routing.rules.speculation import (
    FIRST_SAVED,
    SpeculationStep,
    WasteBudget,
    has_spare_slots,
    next_step,
)


@pytest.mark.parametrize(
    ("voice_ms", "quiet_ms", "begun_at_ms", "runs", "step"),
    [
        (640, 192, None, False, ""),
        (640, 224, None, False, "start"),
        (640, 256, 640, True, ""),
        (640, 256, 640, False, ""),
        (672, 0, 640, True, "drop"),
        (672, 0, 640, False, ""),
        (960, 224, 640, False, "start"),
    ],
    ids=["too short", "a pause", "it goes on", "not twice", "voice", "voice after none", "the next pause"],
)
def test_a_turn_begins_once_in_a_pause_and_is_dropped_by_any_voice(
    voice_ms: int, quiet_ms: int, begun_at_ms: int | None, step: SpeculationStep, *, runs: bool
) -> None:
    found = next_step(voice_ms=voice_ms, quiet_ms=quiet_ms, pause_ms=200, begun_at_ms=begun_at_ms, runs=runs)
    assert found == step


@pytest.mark.parametrize(
    ("load", "is_spare"),
    [
        (ServiceLoad(slots=8, in_flight=3), True),
        (ServiceLoad(slots=8, in_flight=4), False),
        (ServiceLoad(slots=1, in_flight=0), True),
        (ServiceLoad(slots=8, in_flight=0, waiting=1), False),
    ],
)
def test_slots_are_spare_while_half_of_them_are_free_and_nobody_waits(
    load: ServiceLoad, *, is_spare: bool
) -> None:
    assert has_spare_slots({"asr": ServiceLoad(slots=9), "llm": load}) is is_spare
    assert has_spare_slots({}), "nothing is known"


def test_no_more_than_the_share_of_all_calls_and_the_first_ones_is_wasted() -> None:
    budget, calls, wasted = WasteBudget(), 0, 0
    for _ in range(200):
        wasted += budget.try_spend()
        budget.note_call(0.2)
        calls += 1
        assert wasted <= FIRST_SAVED + 0.2 * (calls + wasted)
    assert wasted > 0.19 * (calls + wasted)


def test_what_is_not_wasted_is_paid_back() -> None:
    budget = WasteBudget()
    while budget.try_spend():
        pass
    for _ in range(3):
        budget.pay_back()
        assert budget.try_spend()
        assert not budget.try_spend()


def test_calls_that_were_noted_are_counted_once() -> None:
    budget = WasteBudget()
    budget.note_call(0.2)
    budget.note_call(0.2)
    assert (budget.take_noted(), budget.take_noted()) == (2, 0)
