"""Ten processes on the same caps, one of which is killed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from tests.support.broker import Broker
from tests.support.cap_contention import kept_lease
from tests.support.fleet import Fleet, llm
from tests.support.processes import Process
from tests.support.waiting import soon

HAMMERS = 9
SECONDS = 10
CAPS = {"A": 4, "B": 3}
KEPT = 3
# A lease lasts five seconds; a busy machine may be late to look.
FREE_AGAIN_S = 6.0


class Hammered:
    """Processes on one fleet, and what was seen of it from outside."""

    def __init__(self, fleet: Fleet, broker: Broker, folder: Path) -> None:
        """Prepare; nothing is started yet."""
        command = [sys.executable, "-m", "tests.support.cap_contention", broker.url]
        hammering = [*command, "hammer", str(SECONDS)]
        self.hammers = [Process(f"hammer-{number}", hammering, folder=folder) for number in range(HAMMERS)]
        self.keeper = Process("keeper", [*command, "keep", str(KEPT)], folder=folder)
        self.highest = dict.fromkeys(CAPS, 0)
        self._fleet = fleet

    async def look(self) -> None:
        """Look how many slots are held, on each instance."""
        for name in CAPS:
            self.highest[name] = max(self.highest[name], await self._fleet.in_flight(name))

    async def keeper_keeps(self) -> bool:
        """Tell whether the process that is to be killed has all its slots."""
        await self.look()
        return "kept" in self.keeper.output()

    async def kept(self) -> int:
        """Return how many slots of the process that was killed are still held."""
        await self.look()
        now_s, now_us = await self._fleet.redis.execute("TIME")
        now_ms = int(now_s) * 1000 + int(now_us) // 1000
        ends = [
            await self._fleet.redis.execute("ZSCORE", keys.leases("llm", name), kept_lease(number))
            for name in CAPS
            for number in range(KEPT)
        ]
        return sum(end is not None and float(end) > now_ms for end in ends)


@pytest.fixture
def hammered(fleet: Fleet, broker: Broker, tmp_path: Path) -> Iterator[Hammered]:
    """Ten processes that are not started yet, and are gone at the end."""
    found = Hammered(fleet, broker, tmp_path)
    yield found
    for process in (*found.hammers, found.keeper):
        process.kill()


@pytest.mark.slow
async def test_ten_processes_never_exceed_a_cap_and_slots_of_a_killed_one_are_free_after_a_lease(
    fleet: Fleet, hammered: Hammered, redis: RedisClient
) -> None:
    await fleet.configure("least_connections", *(llm(name, cap=cap) for name, cap in CAPS.items()))
    for process in (hammered.keeper, *hammered.hammers):
        process.start()
    await soon(hammered.keeper_keeps, what="the process that is to be killed has its slots")
    assert await hammered.kept() == KEPT
    hammered.keeper.kill()

    async def free_again() -> bool:
        return await hammered.kept() == 0

    await soon(free_again, what="slots of a killed process are free", within_s=FREE_AGAIN_S)
    while any(hammer.runs for hammer in hammered.hammers):
        await hammered.look()

    assert [hammer.ends() for hammer in hammered.hammers] == [0] * HAMMERS
    counts = [tuple(map(int, hammer.output().split())) for hammer in hammered.hammers]
    # They did meet: every slot was in use, and each process got its part.
    assert max(highest for _, highest in counts) == max(CAPS.values())
    assert hammered.highest == CAPS
    assert all(got > 20 for got, _ in counts)
    assert [await fleet.in_flight(name) for name in CAPS] == [0, 0]
    assert await redis.execute("ZCARD", keys.waiting("llm")) == 0
