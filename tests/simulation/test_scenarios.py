"""S1 to S4 in short: twenty runs each, by the same scripts that every process uses.

The bounds are wider than the figures in docs/balancing.md by what shorter runs may differ; the rules that
the scripts replace miss them by far.
"""

from __future__ import annotations

from dataclasses import replace

from dispatcher.redis_client.client import RedisClient
from tests.simulation import figures
from tests.simulation.scenarios import S1, S2, S3, S4

SEEDS = range(20)


async def test_s1_least_connections_serves_unequal_caps_as_one_line_would(redis: RedisClient) -> None:
    scenario = S1.lasting(10)
    measured, ideal = (
        await figures.of_scripts(redis, scenario, SEEDS),
        await figures.of_ideal(scenario, SEEDS),
    )
    assert (measured.runs, measured.error_ratio) == (20, 0)
    assert measured.p50_ms <= 1.03 * ideal.p50_ms
    assert measured.p99_ms <= 1.05 * ideal.p99_ms
    assert measured.over_1_s_ratio <= ideal.over_1_s_ratio + 0.001
    # The rule that it replaces: raw counts, ties to the first, whatever the caps.
    assert measured.p99_ms < (await figures.of_simple(scenario, "fewest calls", SEEDS)).p99_ms


async def test_s2_response_time_serves_unequal_caps_as_one_line_would(redis: RedisClient) -> None:
    scenario = S2.lasting(12)
    measured, ideal = (
        await figures.of_scripts(redis, scenario, SEEDS),
        await figures.of_ideal(scenario, SEEDS),
    )
    assert (measured.runs, measured.error_ratio) == (20, 0)
    assert measured.p50_ms <= 1.03 * ideal.p50_ms
    assert measured.p99_ms <= 1.05 * ideal.p99_ms
    assert measured.over_1_s_ratio <= ideal.over_1_s_ratio + 0.002


async def test_response_time_wastes_no_slots_where_single_calls_differ_much(redis: RedisClient) -> None:
    # One answer in six takes three times the median: none of that is an instance's fault.
    scenario = replace(S2.lasting(12), sigma=1.0, median_ms=220)
    measured, ideal = (
        await figures.of_scripts(redis, scenario, SEEDS),
        await figures.of_ideal(scenario, SEEDS),
    )
    assert measured.p50_ms <= 1.15 * ideal.p50_ms
    assert measured.p99_ms <= 1.10 * ideal.p99_ms


async def test_s3_a_slow_instance_is_avoided_and_gets_its_share_back(redis: RedisClient) -> None:
    measured = await figures.of_scripts(redis, S3.with_fault_from(10).lasting(80), SEEDS)
    assert (measured.runs, measured.error_ratio) == (20, 0)
    assert measured.p99_ms <= 2430
    assert measured.share_back_ratio is not None
    assert 0.47 <= measured.share_back_ratio <= 0.53


async def test_s4_an_instance_that_fails_at_once_costs_next_to_no_call(redis: RedisClient) -> None:
    measured = await figures.of_scripts(redis, S4.with_fault_from(10).lasting(75), SEEDS)
    assert measured.runs == 20
    assert measured.error_ratio <= 0.0015
    # One call in a hundred fails anyway; without ejection the second attempt alone would save many more.
    assert measured.tried_again_ratio <= 0.03
    assert measured.share_back_ratio is not None
    assert 0.44 <= measured.share_back_ratio <= 0.56


async def test_two_runs_of_a_seed_bring_the_same_calls() -> None:
    assert list(S4.calls(7)) == list(S4.calls(7))
    assert list(S4.calls(7)) != list(S4.calls(8))
