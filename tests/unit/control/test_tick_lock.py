"""Work within a tick: once in its period, held while it lasts."""

from __future__ import annotations

import asyncio

from dispatcher.control import owned_lock, tick_lock
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from tests.unit.control.loops import RunningLoop


async def test_the_work_of_a_tick_runs_once_in_its_period(redis: RedisClient) -> None:
    loop, runs = RunningLoop(redis), []
    for _ in range(3):
        await asyncio.to_thread(tick_lock.run_in_tick, loop, "a task", 60.0, lambda: runs.append("run"))
    assert runs == ["run"]
    for task in loop.kept:
        task.cancel()


async def test_a_tick_that_took_longer_than_half_of_its_period_is_over_when_its_time_has_come(
    redis: RedisClient,
) -> None:
    loop, runs = RunningLoop(redis), []
    held_ms: list[int] = []

    def work() -> None:
        runs.append("run")
        # As if the work had taken a whole period.
        asyncio.run_coroutine_threadsafe(asyncio.sleep(1.2), loop._loop).result(5)
        left = redis.execute("PTTL", keys.tick("slow"))
        held_ms.append(asyncio.run_coroutine_threadsafe(left, loop._loop).result(5))

    await asyncio.to_thread(tick_lock.run_in_tick, loop, "slow", 1.0, work)
    assert held_ms[0] > 0  # though the period is over
    await asyncio.to_thread(tick_lock.run_in_tick, loop, "slow", 1.0, work)
    assert len(runs) == 2


async def test_only_its_owner_moves_or_releases_a_lock(redis: RedisClient) -> None:
    mine = await owned_lock.try_acquire(redis, "a-lock", ttl_ms=60_000)
    assert mine is not None
    assert await owned_lock.try_acquire(redis, "a-lock", ttl_ms=60_000) is None
    other = owned_lock.OwnedLock(key="a-lock", token="another")
    assert not await owned_lock.expire(redis, other, in_ms=1)
    await owned_lock.release(redis, other)
    assert await owned_lock.expire(redis, mine, in_ms=30_000)
    assert await redis.execute("PTTL", "a-lock") <= 30_000
    await owned_lock.release(redis, mine)
    assert await owned_lock.try_acquire(redis, "a-lock", ttl_ms=60_000) is not None
