"""Claim of a run that injects faults: one at a time."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.errors import StartError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.supervisor import chaos_marker


async def test_a_second_run_is_refused_until_the_first_one_was_interrupted(redis: RedisClient) -> None:
    claimed = asyncio.Event()

    async def first_run() -> None:
        async with chaos_marker.exclusive_run(redis):
            claimed.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(first_run())
    await claimed.wait()
    with pytest.raises(StartError, match="another `dispatcher verify` runs"):
        async with chaos_marker.exclusive_run(redis):
            pass
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with chaos_marker.exclusive_run(redis) as run_id:
        assert await redis.execute("GET", keys.VERIFYING) == run_id.encode()
