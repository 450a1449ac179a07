from __future__ import annotations

import pytest

from dispatcher.routing.rules.retries import GUARANTEED_INTERVAL_S, MAX_SAVED, RetryBudget


def spent(now: float = 0.0) -> RetryBudget:
    """A budget with nothing left."""
    budget = RetryBudget(now)
    while budget.try_spend(now):
        pass
    return budget


def retries_in_an_outage(calls_per_s: int, seconds: int) -> int:
    """Return how many of the calls may be made again while every one of them fails."""
    budget = RetryBudget(0.0)
    allowed = 0
    for number in range(calls_per_s * seconds):
        budget.note_call()
        allowed += budget.try_spend(number / calls_per_s)
    return allowed


def test_all_calls_of_a_large_instance_that_dies_may_be_made_again() -> None:
    budget = RetryBudget(0.0)
    assert sum(budget.try_spend(0.0) for _ in range(100)) == MAX_SAVED


def test_five_calls_pay_for_one_retry() -> None:
    budget = spent()
    for _ in range(4):
        budget.note_call()
    assert not budget.try_spend(0.1)

    budget.note_call()

    assert budget.try_spend(0.1)
    assert not budget.try_spend(0.1)


def test_a_handful_of_devices_always_has_its_retry() -> None:
    # Five devices with a turn every three seconds, for ten minutes, and nothing that works.
    budget = spent()
    now, refused = 0.0, 0
    while now < 600:
        now += 3 / 5
        budget.note_call()
        refused += not budget.try_spend(now)
    assert refused == 0


def test_two_retries_per_second_are_there_in_any_case() -> None:
    budget = spent()
    allowed = [tenth for tenth in range(1, 21) if budget.try_spend(tenth / 10)]
    assert allowed == [5, 10, 15, 20]
    assert GUARANTEED_INTERVAL_S == 0.5


@pytest.mark.parametrize("calls_per_s", [10, 25, 100])
def test_a_total_outage_of_many_devices_adds_a_fifth_to_the_load(calls_per_s: int) -> None:
    calls = calls_per_s * 60
    beyond_what_was_saved = retries_in_an_outage(calls_per_s, 60) - MAX_SAVED
    assert 0.18 * calls <= beyond_what_was_saved <= 0.21 * calls


def test_a_quiet_day_saves_no_more_than_the_budget_holds() -> None:
    budget = RetryBudget(0.0)
    for _ in range(10_000):
        budget.note_call()
    assert sum(budget.try_spend(0.0) for _ in range(100)) == MAX_SAVED
