"""A summary is dropped as soon as a turn waits for an LLM slot."""

from __future__ import annotations

import asyncio
import time

import pytest

from dispatcher.control.memory_update import has_free_slot, unless_turn_waits
from dispatcher.errors import TurnCancelled
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient


async def test_a_summary_is_dropped_when_a_turn_waits(redis: RedisClient) -> None:
    ended: list[str] = []

    async def write_for_ever() -> str:
        try:
            await asyncio.Event().wait()
            return ""
        finally:
            ended.append("closed")

    task = asyncio.create_task(unless_turn_waits(redis, write_for_ever()))
    await asyncio.sleep(0)
    await redis.execute("ZADD", keys.seen("llm"), round(time.time() * 1000), "a-turn")
    with pytest.raises(TurnCancelled):
        await asyncio.wait_for(task, 20)
    assert ended == ["closed"]


async def test_a_summary_that_nobody_disturbs_is_returned(redis: RedisClient) -> None:
    async def write() -> str:
        return "My name is Ada"

    assert await unless_turn_waits(redis, write()) == "My name is Ada"


async def test_no_summary_begins_while_a_turn_waits(redis: RedisClient) -> None:
    assert await has_free_slot(redis)
    await redis.execute("ZADD", keys.seen("llm"), round(time.time() * 1000), "a-turn")
    assert not await has_free_slot(redis)
