"""Weights in short: the real scripts and the real adjustment, a few minutes of calls in simulated time."""

from __future__ import annotations

from dataclasses import replace

from dispatcher.redis_client.client import RedisClient
from tests.simulation.weighing import ALIKE, ONE_SLOWED, TWICE_AS_QUICK, weigh


async def test_weights_come_to_equal_utilisation_where_one_instance_is_twice_as_quick(
    redis: RedisClient,
) -> None:
    for run in await weigh(redis, replace(TWICE_AS_QUICK, periods=10), (0, 1)):
        # As configured the slow one works two thirds of the time that both work.
        assert run.unevenness(slice(0, 1)) > 1.2
        assert run.unevenness(slice(5, None)) < 1.05
        assert run.turns_back(slice(0, None)) <= 2


async def test_weights_of_instances_that_are_alike_stay_near_what_the_operator_said(
    redis: RedisClient,
) -> None:
    (run,) = await weigh(redis, replace(ALIKE, periods=10), (0,))
    assert all(0.85 < factor < 1.15 for factors in run.factors for factor in factors)
    assert run.turns_back(slice(0, None)) <= 3


async def test_a_slowed_instance_loses_weight_within_two_periods_and_gets_it_back(redis: RedisClient) -> None:
    (run,) = await weigh(redis, replace(ONE_SLOWED, slow_from=1, slow_until=5, periods=12), (0,))
    of_a = [factors[0] for factors in run.factors]
    assert of_a[2] < 0.75
    assert min(of_a) < 0.6
    assert of_a[-1] > 0.85
