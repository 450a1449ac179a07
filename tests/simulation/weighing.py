"""Minutes of calls on unequal instances, while their weights are adjusted by the real rule.

The scripts run on a real Valkey and are told the time; the weights are adjusted once a simulated minute.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, cast

from dispatcher.catalogue.model import Instance
from dispatcher.messages import Service
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import adjustments, instance_table, leases
from dispatcher.routing.leases import Slot
from tests.support.fleet import llm

PERIOD_MS: Final = 60_000.0
# 0 would mean "never" to the scripts.
BEGAN_MS: Final = 1_000_000.0
SIGMA: Final = 0.35
NAMES: Final = "ABCDEFGH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unequal:
    """Instances configured alike under weighted round robin, and how long each takes.

    Attributes:
        median_ms: of each instance's service time, which is log-normal.
        cap: slots of each.
        utilisation: share of all slots that is in use when calls go by speed.
        slow_from, slow_until: periods in which the first instance takes ten times as long.
    """

    title: str
    median_ms: tuple[float, ...]
    cap: int = 2
    utilisation: float = 0.12
    periods: int = 30
    slow_from: int = 0
    slow_until: int = 0

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Their configuration."""
        return tuple(llm(name, cap=self.cap) for name, _ in zip(NAMES, self.median_ms, strict=False))

    @property
    def calls_per_s(self) -> float:
        """Calls that arrive in a second, on average: a Poisson process."""
        spread = math.exp(SIGMA**2 / 2)
        return self.utilisation * sum(self.cap * 1000 / (median * spread) for median in self.median_ms)

    def took_ms(self, name: str, period: int, dice: random.Random) -> float:
        """Return how long a call takes that starts in a period."""
        slow = name == NAMES[0] and self.slow_from <= period < self.slow_until
        return dice.lognormvariate(math.log(self.median_ms[NAMES.index(name)]), SIGMA) * (10 if slow else 1)


TWICE_AS_QUICK: Final = Unequal(title="one of two twice as quick", median_ms=(300, 600), cap=6)
ALIKE: Final = Unequal(title="three alike", median_ms=(200, 200, 200))
ONE_SLOWED: Final = Unequal(
    title="three alike, one ten times slower for ten minutes",
    median_ms=(200, 200, 200),
    slow_from=5,
    slow_until=15,
)
FLEETS: Final = (TWICE_AS_QUICK, ALIKE, ONE_SLOWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What came of a run.

    Attributes:
        factors: what each weight was multiplied with after each period, in the order of the instances.
        work_ms: how long each instance was at work in each period.
    """

    factors: Sequence[Sequence[float]]
    work_ms: Sequence[Counter[str]]

    def unevenness(self, periods: slice) -> float:
        """Return the utilisation of the busiest over the mean; all have equally many slots."""
        work = sum(self.work_ms[periods], Counter())
        return max(work.values()) / (sum(work.values()) / len(self.factors[0]))

    def turns_back(self, periods: slice) -> int:
        """Return how often a factor changed its direction, the most of any instance."""
        return max(_turns_back(course[periods]) for course in zip(*self.factors, strict=True))


def _turns_back(course: Sequence[float]) -> int:
    steps = [after - before for before, after in pairwise(course) if after != before]
    return sum(step * following < 0 for step, following in pairwise(steps))


async def weigh(redis: RedisClient, unequal: Unequal, seeds: Sequence[int]) -> list[Weighed]:
    """Return what comes of some runs, all side by side on one connection."""
    return await asyncio.gather(*(Weighing(redis, unequal, seed).run() for seed in seeds))


class Weighing:
    """One run: calls arrive, take the instance that the pick script names or wait for one, and end."""

    def __init__(self, redis: RedisClient, unequal: Unequal, seed: int) -> None:
        """Prepare; the seed decides when calls come and how long they take."""
        self._redis = redis
        self._unequal = unequal
        self._service = cast("Service", f"{unequal.title}-{seed}")
        self._dice = random.Random(f"{unequal.title} {seed}")
        self._ends: list[tuple[float, int, Slot, float]] = []
        self._waiting: deque[float] = deque()
        self._number = 0

    async def run(self) -> Weighed:
        """Let the minutes pass."""
        instances = self._unequal.instances
        await instance_table.publish_instances(self._redis, self._service, "weighted_round_robin", instances)
        await adjustments.adjust(self._redis, self._service, now_ms=BEGAN_MS)
        factors, work = [], []
        for period in range(self._unequal.periods):
            work.append(await self._period(period))
            now_ms = BEGAN_MS + (period + 1) * PERIOD_MS
            found = await adjustments.adjust(self._redis, self._service, now_ms=now_ms)
            factors.append([each.after for each in found])
        return Weighed(factors=factors, work_ms=work)

    async def _period(self, period: int) -> Counter[str]:
        work: Counter[str] = Counter()
        now_ms = BEGAN_MS + period * PERIOD_MS
        until_ms = now_ms + PERIOD_MS
        while (now_ms := now_ms + self._dice.expovariate(self._unequal.calls_per_s) * 1000) < until_ms:
            await self._end_calls(now_ms, period, work)
            self._waiting.append(now_ms)
            await self._start_calls(now_ms, period, work)
        await self._end_calls(until_ms, period, work)
        return work

    async def _end_calls(self, until_ms: float, period: int, work: Counter[str]) -> None:
        while self._ends and self._ends[0][0] <= until_ms:
            ended_ms, _, slot, took_ms = heapq.heappop(self._ends)
            await leases.finish(self._redis, slot, outcome="ok", latency_ms=took_ms, now_ms=ended_ms)
            await self._start_calls(ended_ms, period, work)

    async def _start_calls(self, now_ms: float, period: int, work: Counter[str]) -> None:
        while self._waiting:
            slot = await leases.pick(self._redis, self._service, turn_id="simulation", now_ms=now_ms)
            if not isinstance(slot, Slot):
                return
            self._waiting.popleft()
            self._number += 1
            took_ms = self._unequal.took_ms(slot.name, period, self._dice)
            work[slot.name] += round(took_ms)
            heapq.heappush(self._ends, (now_ms + took_ms, self._number, slot, took_ms))
