"""A summary is dropped as soon as a turn waits for an LLM slot."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from dispatcher.catalogue import Catalogue, Conversation, MemoryRules
from dispatcher.control.memory_update import MemoryUpdater, leaves_free_slot, unless_turn_waits
from dispatcher.dialogue_store import memory
from dispatcher.errors import TurnCancelled
from dispatcher.providers.registry import Providers
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.router import Router
from dispatcher.telemetry import front_presence
from dispatcher.telemetry.front_presence import FrontCounts


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
    await redis.execute("ZADD", keys.line("seen", "llm"), round(time.time() * 1000), "a-turn")
    with pytest.raises(TurnCancelled):
        await asyncio.wait_for(task, 20)
    assert ended == ["closed"]


async def test_a_summary_that_nobody_disturbs_is_returned(redis: RedisClient) -> None:
    async def write() -> str:
        return "My name is Ada"

    assert await unless_turn_waits(redis, write()) == "My name is Ada"


async def test_no_summary_begins_while_a_turn_waits(redis: RedisClient) -> None:
    assert await leaves_free_slot(redis)
    await redis.execute("ZADD", keys.line("seen", "llm"), round(time.time() * 1000), "a-turn")
    assert not await leaves_free_slot(redis)


async def test_no_memory_is_updated_while_a_front_is_on_a_step_of_overload(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = FrontCounts(devices=1, busy=1, in_turn=1, turns_begun=1, overload_step=1)
    asked: list[str] = []

    async def take_due(_: RedisClient) -> None:
        asked.append("due")

    monkeypatch.setattr(memory, "take_due", take_due)
    catalogue = Catalogue(path="", services={}, conversation=Conversation(memory=MemoryRules(enabled=True)))
    providers = Providers()
    updater = MemoryUpdater(
        redis=redis,
        router=Router(redis, catalogue),
        providers=providers,
        catalogue=lambda: catalogue,
    )
    for step, expected in ((1, []), (0, ["due"])):
        front_presence.publish(redis, "a-front", replace(counts, overload_step=step))
        await updater.update_due()
        assert asked == expected
    await providers.close()
