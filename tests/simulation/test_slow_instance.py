"""One of two LLM instances is slow for minutes, at the rates of a room, a house and a school."""

from __future__ import annotations

from typing import get_args

import pytest

from dispatcher.messages import Algorithm
from dispatcher.redis_client.client import RedisClient
from tests.simulation.slow_instance import SlowInstanceDay, measure


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
@pytest.mark.parametrize(("turns_per_s", "runs", "most_probes"), [(0.2, 5, 0.12), (1.3, 1, 0.02)])
async def test_a_slow_instance_costs_less_than_one_turn_in_a_hundred_and_has_its_share_back(
    redis: RedisClient, algorithm: Algorithm, turns_per_s: float, runs: int, most_probes: float
) -> None:
    day = SlowInstanceDay(algorithm=algorithm, turns_per_s=turns_per_s, slow_s=1200, back_s=420)
    measured = await measure(redis, day, range(runs))
    assert measured.late_ratio < 0.01
    assert measured.probe_ratio <= most_probes
    # Some hundred turns, of which dice give away a part.
    assert measured.share_back == pytest.approx(0.5, abs=0.1)


async def test_at_many_turns_a_second_probes_stay_rare(redis: RedisClient) -> None:
    day = SlowInstanceDay(algorithm="weighted_round_robin", turns_per_s=10, slow_s=60, back_s=180)
    measured = await measure(redis, day, range(1))
    # Those that had begun when it became slow: six turns, of six hundred.
    assert measured.late_ratio < 0.015
    assert measured.probe_ratio <= 0.02
    assert measured.share_back == pytest.approx(0.5, abs=0.05)
