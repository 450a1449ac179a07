"""Runs of a scenario and their figures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.redis_client.client import RedisClient
from tests.simulation.balancers import Balancer, Scripts
from tests.simulation.scenarios import Scenario
from tests.simulation.world import Ended, World
from tests.simulation.yardsticks import SIMPLE_RULES, Ideal, Simple

# After a fault the balancer gets so long to find its way back before shares are counted.
SETTLE_S = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of some runs, all calls taken together.

    Attributes:
        p50_ms, p99_ms: of the calls that succeeded, from arrival to end.
        over_1_s_ratio: share of those that took more than a second.
        error_ratio: share of all calls that failed for good.
        tried_again_ratio: share of all calls that needed a second attempt.
        share_back_ratio: share of the first instance after the fault; None without a fault.
    """

    runs: int
    calls: int
    p50_ms: float
    p99_ms: float
    over_1_s_ratio: float
    error_ratio: float
    tried_again_ratio: float
    share_back_ratio: float | None


def figures_of(scenario: Scenario, runs: Sequence[Sequence[Ended]]) -> Figures:
    """Return the figures of some runs."""
    calls = [ended for run in runs for ended in run]
    took_ms = sorted(ended.took_ms for ended in calls if ended.succeeded)
    share_back = None
    if scenario.fault:
        from_ms = (scenario.fault.until_s + SETTLE_S) * 1000
        after = [ended.name for ended in calls if ended.arrived_ms > from_ms]
        share_back = after.count(scenario.instances[0].name) / len(after)
    return Figures(
        runs=len(runs),
        calls=len(calls),
        p50_ms=took_ms[len(took_ms) // 2],
        p99_ms=took_ms[len(took_ms) * 99 // 100],
        over_1_s_ratio=sum(each > 1000 for each in took_ms) / len(took_ms),
        error_ratio=1 - len(took_ms) / len(calls),
        tried_again_ratio=sum(ended.attempts > 1 for ended in calls) / len(calls),
        share_back_ratio=share_back,
    )


async def of_scripts(redis: RedisClient, scenario: Scenario, seeds: Sequence[int]) -> Figures:
    """Run the scripts of the product, all runs side by side on one connection."""

    async def one(seed: int) -> list[Ended]:
        balancer = Scripts(redis, scenario, seed)
        await balancer.configure()
        return await World(scenario, balancer, seed).run()

    return figures_of(scenario, await asyncio.gather(*(one(seed) for seed in seeds)))


async def of_ideal(scenario: Scenario, seeds: Sequence[int]) -> Figures:
    """Run the ideal single line."""
    return figures_of(scenario, [await World(scenario, Ideal(scenario), seed).run() for seed in seeds])


async def of_simple(scenario: Scenario, rule: str, seeds: Sequence[int]) -> Figures:
    """Run one of the simple rules."""
    balancers: list[tuple[int, Balancer]] = [
        (seed, Simple(scenario, SIMPLE_RULES[rule], seed)) for seed in seeds
    ]
    return figures_of(scenario, [await World(scenario, each, seed).run() for seed, each in balancers])
