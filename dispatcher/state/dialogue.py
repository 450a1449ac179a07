"""What is remembered of a device: its dialogue, and its language as OTA learned it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dispatcher.conversation.history import Message
from dispatcher.state import keys
from dispatcher.state.line import RedisLine


def remember(line: RedisLine, device_id: str, messages: Sequence[Message]) -> None:
    """Append messages to the device's dialogue; old ones and idle dialogues fall away."""
    key = keys.history(device_id)
    rows = [json.dumps([message.role, message.content], ensure_ascii=False) for message in messages]
    line.cast("RPUSH", key, *rows)
    line.cast("LTRIM", key, -keys.HISTORY_MESSAGES, -1)
    line.cast("EXPIRE", key, keys.HISTORY_TTL_S)


async def recall(line: RedisLine, device_id: str) -> list[Message]:
    """Return the device's dialogue, oldest message first.

    Raises:
        StateError: Redis is out of reach.
    """
    rows = await line.call("LRANGE", keys.history(device_id), 0, -1)
    pairs = [json.loads(row) for row in rows]
    return [Message(role=role, content=content) for role, content in pairs]


def note_device(line: RedisLine, device_id: str, *, accept_language: str) -> None:
    """Keep what a device said of itself when it asked for its address."""
    key = keys.device(device_id)
    line.cast("HSET", key, "accept_language", accept_language)
    line.cast("EXPIRE", key, keys.DEVICE_TTL_S)


async def accept_language(line: RedisLine, device_id: str) -> str:
    """Return the languages that the device named by OTA, or an empty text."""
    value = await line.call("HGET", keys.device(device_id), "accept_language")
    return value.decode() if value else ""
