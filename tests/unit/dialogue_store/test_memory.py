"""Memories of devices in Redis: which is due, what is written, and what is forgotten for good."""

from __future__ import annotations

from dispatcher.dialogue.history import Message
from dispatcher.dialogue_store import memory, recent_history
from dispatcher.dialogue_store.memory import MOST_UNREAD, Memory
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient

DEVICE = "02:00:00:00:00:01"


async def test_a_memory_is_due_when_the_dialogue_rests(redis: RedisClient) -> None:
    await memory.note_exchange(redis, DEVICE, idle_s=60)
    assert await memory.take_due(redis) is None
    await memory.note_exchange(redis, DEVICE, idle_s=0)
    assert await memory.take_due(redis) == DEVICE
    assert await memory.take_due(redis) is None
    assert (await memory.read(redis, DEVICE)).unread == 2


async def test_a_long_dialogue_is_due_without_a_rest(redis: RedisClient) -> None:
    for _ in range(MOST_UNREAD):
        await memory.note_exchange(redis, DEVICE, idle_s=3600)
    assert await memory.take_due(redis) == DEVICE


async def test_what_is_written_counts_only_what_came_since(redis: RedisClient) -> None:
    for _ in range(3):
        await memory.note_exchange(redis, DEVICE, idle_s=0)
    assert await memory.write(redis, DEVICE, "likes tea", exchanges=2)
    assert await memory.read(redis, DEVICE) == Memory(text="likes tea", unread=1)
    assert await memory.read_many(redis, [DEVICE, "nobody"]) == ["likes tea", ""]
    assert 0 < await redis.execute("TTL", keys.memory(DEVICE)) <= keys.MEMORY_TTL_S


async def test_one_that_was_put_off_comes_later_unless_somebody_spoke_meanwhile(redis: RedisClient) -> None:
    await memory.put_off(redis, DEVICE, for_s=60)
    assert await memory.take_due(redis) is None
    await memory.note_exchange(redis, DEVICE, idle_s=0)
    await memory.put_off(redis, DEVICE, for_s=60)
    assert await memory.take_due(redis) == DEVICE


async def test_what_was_forgotten_is_not_written_by_a_summary_under_way(redis: RedisClient) -> None:
    recent_history.remember(redis, DEVICE, [Message(role="user", content="my name is Ada")])
    await memory.note_exchange(redis, DEVICE, idle_s=0)
    await memory.forget(redis, DEVICE)
    assert not await memory.write(redis, DEVICE, "Ada", exchanges=1)
    assert await memory.read(redis, DEVICE) == Memory()
    assert await recent_history.recall(redis, DEVICE) == []
    assert await memory.take_due(redis) is None


async def test_a_cleared_dialogue_keeps_the_memory(redis: RedisClient) -> None:
    recent_history.remember(redis, DEVICE, [Message(role="user", content="hello")])
    await memory.note_exchange(redis, DEVICE, idle_s=0)
    await memory.write(redis, DEVICE, "Ada", exchanges=1)
    await recent_history.clear(redis, DEVICE)
    assert await recent_history.recall(redis, DEVICE) == []
    assert (await memory.read(redis, DEVICE)).text == "Ada"
