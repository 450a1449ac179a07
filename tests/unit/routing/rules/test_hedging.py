from __future__ import annotations

import pytest

from dispatcher.messages import SERVICES, Service
from dispatcher.routing.rules.hedging import (
    HEDGE_POLICIES,
    HedgeBudget,
    HedgePolicy,
    LateInstances,
    LatencyEstimator,
    SharedHedging,
)

POLICY = HedgePolicy(result="first sentence", and_s=0.6, longest_s=3.0)


def test_an_instance_that_never_answered_is_given_the_margin_alone() -> None:
    assert LatencyEstimator(POLICY).wait_s("llm-1") == 0.6


@pytest.mark.parametrize("service", SERVICES)
def test_a_probe_may_take_twice_as_long_as_a_call_that_lost(service: Service) -> None:
    policy = HEDGE_POLICIES[service]
    assert policy.probe_s == 2 * policy.silence_s >= policy.longest_s


def test_the_wait_follows_what_the_instance_usually_takes() -> None:
    usual = LatencyEstimator(POLICY)

    usual.note("llm-1", 0.4)

    assert usual.wait_s("llm-1") == pytest.approx(1.0)
    assert usual.wait_s("llm-2") == 0.6


def test_one_odd_result_moves_the_usual_time_by_a_fifth_of_the_way() -> None:
    usual = LatencyEstimator(POLICY)
    usual.note("llm-1", 0.4)

    usual.note("llm-1", 0.9)

    assert usual.wait_s("llm-1") == pytest.approx(1.1)


def test_no_instance_is_waited_for_longer_than_the_bound() -> None:
    usual = LatencyEstimator(POLICY)

    usual.note("llm-1", 30.0)

    assert usual.wait_s("llm-1") == 3.0


def test_an_asr_instance_is_given_twice_its_usual_time_and_more_for_a_long_utterance() -> None:
    usual = LatencyEstimator(HEDGE_POLICIES["asr"])

    usual.note("asr-1", 0.4)

    assert usual.wait_s("asr-1") == pytest.approx(1.4)
    assert usual.wait_s("asr-1", size=2.0) == pytest.approx(2.2)


def test_a_long_utterance_teaches_no_more_than_its_share() -> None:
    usual = LatencyEstimator(HEDGE_POLICIES["asr"])

    usual.note("asr-1", 2.0, size=4.0)

    assert usual.wait_s("asr-1") == pytest.approx(2 * 0.5 + 0.6)


def test_an_asr_instance_of_which_nothing_is_known_is_no_false_alarm() -> None:
    assert LatencyEstimator(HEDGE_POLICIES["asr"]).wait_s("asr-1") == pytest.approx(2.0)


def test_a_slow_instance_is_waited_for_as_long_as_a_free_alternative_would_be() -> None:
    usual = LatencyEstimator(POLICY)
    usual.note("llm-1", 2.2)

    assert usual.wait_s("llm-1") == pytest.approx(2.8)
    assert usual.wait_s("llm-1", alternative_s=1.2) == pytest.approx(2.8), "it is as it is, and not slow"
    assert usual.wait_s("llm-1", alternative_s=0.5) == pytest.approx(1.1)


@pytest.mark.parametrize("service", SERVICES)
def test_a_free_alternative_makes_nobody_wait_longer(service: Service) -> None:
    usual = LatencyEstimator(HEDGE_POLICIES[service])
    for alternative_s in (0.01, 0.3, 9.0):
        assert usual.wait_s("new", alternative_s=alternative_s) == usual.wait_s("new")


@pytest.mark.parametrize("service", SERVICES)
def test_one_that_lost_is_observed_at_least_as_long_as_any_is_waited_for(service: Service) -> None:
    policy = HEDGE_POLICIES[service]
    assert policy.silence_s >= policy.longest_s


def test_an_instance_is_late_while_any_attempt_on_it_is() -> None:
    late = LateInstances()
    late.mark_late("first attempt", "llm-1")
    late.mark_late("second attempt", "llm-1")
    late.mark_late("third attempt", "llm-2")
    late.clear_late("first attempt")
    assert late.names == {"llm-1", "llm-2"}
    for attempt in ("second attempt", "third attempt", "one that was never late"):
        late.clear_late(attempt)
    assert late.names == frozenset()


def spent(budget: HedgeBudget, now: float) -> int:
    """Return how many second requests may be made at a moment, and make them."""
    return sum(budget.try_spend(now=now) for _ in range(20))


def test_an_instance_that_hangs_is_found_out_before_the_budget_is_spent() -> None:
    assert spent(HedgeBudget(now=0.0), now=0.0) == 3


def test_twenty_calls_pay_for_one_second_request() -> None:
    budget = HedgeBudget(now=0.0)
    spent(budget, now=0.0)
    for _ in range(19):
        budget.note_call()
    assert not budget.try_spend(now=0.0)

    budget.note_call()

    assert spent(budget, now=0.0) == 1


def test_one_second_request_every_ten_seconds_is_always_there() -> None:
    budget = HedgeBudget(now=0.0)
    spent(budget, now=0.0)

    allowed = [now for now in range(1, 31) if budget.try_spend(now=float(now))]

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


def test_a_second_request_is_paid_as_a_retry_only_where_that_is_allowed() -> None:
    hedging = SharedHedging.begin(0.0)
    spent(hedging.hedge_budget, now=0.0)
    assert not hedging.try_spend_hedge(0.0, or_retry=False)
    assert hedging.try_spend_hedge(0.0, or_retry=True)


def test_a_call_pays_into_both_budgets() -> None:
    hedging = SharedHedging.begin(0.0)
    spent(hedging.hedge_budget, now=0.0)
    while hedging.retry_budget.try_spend(0.0):
        pass
    for _ in range(20):
        hedging.note_call()
    assert hedging.hedge_budget.try_spend(0.0)
    assert hedging.retry_budget.try_spend(0.0)
