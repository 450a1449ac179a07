"""Recent dialogue with a device."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dispatcher.dialogue.history import Message
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient


def remember(redis: RedisClient, device_id: str, messages: Sequence[Message]) -> None:
    """Append messages to the device's dialogue; old ones and idle dialogues fall away."""
    key = keys.history(device_id)
    rows = [json.dumps([message.role, message.content], ensure_ascii=False) for message in messages]
    redis.send_nowait("RPUSH", key, *rows)
    redis.send_nowait("LTRIM", key, -keys.HISTORY_MESSAGES, -1)
    redis.send_nowait("EXPIRE", key, keys.HISTORY_TTL_S)


async def clear(redis: RedisClient, device_id: str) -> None:
    """Remove the device's dialogue; what is remembered of its users beyond it stays.

    Raises:
        StateError: Redis is out of reach.
    """
    await redis.execute("DEL", keys.history(device_id))


async def recall(redis: RedisClient, device_id: str) -> list[Message]:
    """Return the device's dialogue, oldest message first.

    Raises:
        StateError: Redis is out of reach.
    """
    rows = await redis.execute("LRANGE", keys.history(device_id), 0, -1)
    pairs = [json.loads(row) for row in rows]
    return [Message(role=role, content=content) for role, content in pairs]
