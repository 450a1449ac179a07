from __future__ import annotations

import pytest

from dispatcher.balancing.hedging import LONGEST_WAIT_S, PATIENCE_S, HedgeBudget, Suspects, UsualTimes


def test_an_instance_that_never_answered_is_given_the_patience_alone() -> None:
    assert UsualTimes().wait_s("llm-1") == PATIENCE_S


def test_the_wait_follows_what_the_instance_usually_takes() -> None:
    usual = UsualTimes()

    usual.note("llm-1", 0.4)

    assert usual.wait_s("llm-1") == pytest.approx(PATIENCE_S + 0.4)
    assert usual.wait_s("llm-2") == PATIENCE_S


def test_one_odd_sentence_moves_the_usual_time_by_a_fifth_of_the_way() -> None:
    usual = UsualTimes()
    usual.note("llm-1", 0.4)

    usual.note("llm-1", 0.9)

    assert usual.wait_s("llm-1") == pytest.approx(PATIENCE_S + 0.5)


def test_no_instance_is_waited_for_longer_than_the_bound() -> None:
    usual = UsualTimes()

    usual.note("llm-1", 30.0)

    assert usual.wait_s("llm-1") == LONGEST_WAIT_S


def test_an_instance_is_suspected_while_any_call_of_it_is_late() -> None:
    suspects = Suspects()
    with suspects.suspected("llm-1"):
        with suspects.suspected("llm-1"), suspects.suspected("llm-2"):
            assert suspects.names == {"llm-1", "llm-2"}
        assert suspects.names == {"llm-1"}
    assert suspects.names == frozenset()


def spent(budget: HedgeBudget, now: float) -> int:
    """Return how many second requests may be made at a moment, and make them."""
    return sum(budget.spend(now=now) for _ in range(20))


def test_an_instance_that_hangs_is_found_out_before_the_budget_is_spent() -> None:
    assert spent(HedgeBudget(now=0.0), now=0.0) == 3


def test_twenty_calls_pay_for_one_second_request() -> None:
    budget = HedgeBudget(now=0.0)
    spent(budget, now=0.0)
    for _ in range(19):
        budget.note_call()
    assert not budget.spend(now=0.0)

    budget.note_call()

    assert spent(budget, now=0.0) == 1


def test_one_second_request_every_ten_seconds_is_always_there() -> None:
    budget = HedgeBudget(now=0.0)
    spent(budget, now=0.0)

    allowed = [now for now in range(1, 31) if budget.spend(now=float(now))]

    assert allowed == [10, 20, 30]


def test_a_quiet_day_saves_no_more_than_three_second_requests() -> None:
    budget = HedgeBudget(now=0.0)
    spent(budget, now=0.0)

    assert spent(budget, now=86_400.0) == 3


def test_a_busy_day_saves_no_more_than_ten_second_requests_and_time_adds_none_to_them() -> None:
    budget = HedgeBudget(now=0.0)
    for _ in range(1000):
        budget.note_call()

    assert spent(budget, now=3600.0) == 10
