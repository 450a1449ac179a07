"""Dialogues, devices and overrides as rows of a backup, out of one Redis and into it again."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.history import Message
from dispatcher.dialogue_store import recent_history
from dispatcher.ops.backup import redis_rows
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient

DEVICE = "02:00:00:00:00:01"


async def fill(redis: RedisClient) -> None:
    recent_history.remember(redis, DEVICE, [Message(role="user", content="现在几点了？")])
    await redis.execute("HSET", keys.device(DEVICE), "name", "kitchen", "broken", b"\xff\xfe")
    await redis.execute("HSET", keys.OVERRIDES, "max_devices", "30")
    await redis.execute("SET", "another", "key")


async def test_rows_come_back_as_they_were_with_what_is_left_of_their_life(redis: RedisClient) -> None:
    await fill(redis)
    rows = await redis_rows.read_rows(redis)
    assert {row["key"] for row in rows} == {keys.history(DEVICE), keys.device(DEVICE), keys.OVERRIDES}
    assert all(redis_rows.is_ours(row) for row in rows)
    await redis.execute("FLUSHALL")
    assert await redis_rows.write_rows(redis, rows) == 3
    assert (await recent_history.recall(redis, DEVICE))[0].content == "现在几点了？"
    assert await redis.execute("HGET", keys.device(DEVICE), "broken") == b"\xff\xfe"
    assert 0 < await redis.execute("TTL", keys.history(DEVICE)) <= recent_history.HISTORY_TTL_S
    assert await redis.execute("TTL", keys.OVERRIDES) == -1


async def test_a_key_that_is_there_is_replaced_whole(redis: RedisClient) -> None:
    await fill(redis)
    rows = await redis_rows.read_rows(redis)
    await redis.execute("HSET", keys.OVERRIDES, "reply_kept_s", "3")
    await redis_rows.write_rows(redis, rows)
    assert await redis.execute("HLEN", keys.OVERRIDES) == 1


@pytest.mark.parametrize(
    "row",
    [
        "no row",
        {"key": "asr", "kind": "list", "ttl_ms": 0, "words": ["a task"]},
        {"key": keys.OVERRIDES, "kind": "string", "ttl_ms": 0, "words": ["a"]},
        {"key": keys.OVERRIDES, "kind": "hash", "ttl_ms": "soon", "words": ["a", "b"]},
        {"key": keys.OVERRIDES, "kind": "hash", "ttl_ms": 0, "words": []},
    ],
)
def test_nothing_else_of_redis_is_ever_a_row(row: object) -> None:
    assert not redis_rows.is_ours(row)
