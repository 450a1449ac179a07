"""Recent dialogue with a device."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from dispatcher.dialogue.history import Message
from dispatcher.errors import StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient

HISTORY_TTL_S: Final = 24 * 3600
HISTORY_MESSAGES: Final = 80


def remember(redis: RedisClient, device_id: str, messages: Sequence[Message]) -> None:
    """Append messages to the device's dialogue; idle dialogues expire, and a full one loses its older half.

    Were the oldest messages cut at each turn, no two requests to the LLM would begin alike.
    """
    key = keys.history(device_id)
    rows = [json.dumps([message.role, message.content], ensure_ascii=False) for message in messages]
    with suppress(StateError):
        redis.submit(("RPUSH", key, *rows)).add_done_callback(partial(_halve_when_full, redis, key))
    redis.send_nowait("EXPIRE", key, HISTORY_TTL_S)


def _halve_when_full(redis: RedisClient, key: str, pushed: asyncio.Future[int]) -> None:
    """Cut a full dialogue to half, at the border of an exchange: a question and its answer come together."""
    if not pushed.cancelled() and not pushed.exception() and pushed.result() > HISTORY_MESSAGES:
        redis.send_nowait("LTRIM", key, -HISTORY_MESSAGES // 2, -1)


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
