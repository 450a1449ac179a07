"""A summary is dropped as soon as a turn waits for an LLM slot."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import cast

import pytest

from dispatcher.errors import TurnCancelled
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from workers.control import remember


def runtime_on(redis: RedisClient) -> WorkerContext:
    """Return as much of a worker's runtime as the watch needs."""
    return cast("WorkerContext", SimpleNamespace(redis=redis))


async def test_a_summary_is_dropped_when_a_turn_waits(redis: RedisClient) -> None:
    ended: list[str] = []

    async def write_for_ever() -> str:
        try:
            await asyncio.Event().wait()
            return ""
        finally:
            ended.append("closed")

    task = asyncio.create_task(remember._unless_a_turn_waits(runtime_on(redis), write_for_ever()))
    await asyncio.sleep(0)
    await redis.execute("ZADD", keys.seen("llm"), round(time.time() * 1000), "a-turn")
    with pytest.raises(TurnCancelled):
        await asyncio.wait_for(task, 20)
    assert ended == ["closed"]


async def test_a_summary_that_nobody_disturbs_is_returned(redis: RedisClient) -> None:
    async def write() -> str:
        return "My name is Ada"

    assert await remember._unless_a_turn_waits(runtime_on(redis), write()) == "My name is Ada"


async def test_no_summary_begins_while_a_turn_waits(redis: RedisClient) -> None:
    shared = runtime_on(redis)
    assert await remember._is_quiet(shared)
    await redis.execute("ZADD", keys.seen("llm"), round(time.time() * 1000), "a-turn")
    assert not await remember._is_quiet(shared)
