"""Memory of a device's users beyond the dialogue: a short text that an LLM writes when idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.redis_client.lua_script import Script

_DUE: Final = Script.load("dispatcher.dialogue_store", "clock", "memory_due")
_WRITE: Final = Script.load("dispatcher.dialogue_store", "memory_write")
# A dialogue keeps twenty exchanges at the least: what is trimmed away was summed up before.
MOST_UNREAD: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One device's memory.

    Attributes:
        unread: exchanges since it was written.
    """

    text: str = ""
    unread: int = 0


async def note_exchange(redis: RedisClient, device_id: str, *, idle_s: float) -> None:
    """Let the memory be brought up to date when the dialogue rests, or has become long.

    Raises:
        StateError: Redis is out of reach.
    """
    await redis.run(
        _DUE,
        keys={"memory": keys.memory(device_id), "memory_due": keys.MEMORY_DUE},
        arguments={
            "device_id": device_id,
            "idle_ms": round(idle_s * 1000),
            "most_unread": MOST_UNREAD,
            "memory_ttl_s": keys.MEMORY_TTL_S,
        },
    )


async def read(redis: RedisClient, device_id: str) -> Memory:
    """Return a device's memory.

    Raises:
        StateError: Redis is out of reach.
    """
    fields = as_text(await redis.execute("HGETALL", keys.memory(device_id)))
    return Memory(text=fields.get("text", ""), unread=int(fields.get("unread", 0)))


async def read_many(redis: RedisClient, device_ids: Sequence[str]) -> list[str]:
    """Return the texts of memories; an empty one where there is none.

    Raises:
        StateError: Redis is out of reach.
    """
    texts = await asyncio.gather(*(redis.submit(("HGET", keys.memory(each), "text")) for each in device_ids))
    return [text.decode() if text else "" for text in texts]


async def take_due(redis: RedisClient) -> str | None:
    """Take the device whose memory waits for longest to be brought up to date, or None.

    Raises:
        StateError: Redis is out of reach.
    """
    now_ms = time.time() * 1000
    due = await redis.execute("ZRANGEBYSCORE", keys.MEMORY_DUE, "-inf", now_ms, "LIMIT", 0, 1)
    if not due or not await redis.execute("ZREM", keys.MEMORY_DUE, due[0]):
        return None
    return str(due[0].decode())


async def put_off(redis: RedisClient, device_id: str, *, for_s: float) -> None:
    """Let a memory be tried again later; what was said since may have set an earlier time.

    Raises:
        StateError: Redis is out of reach.
    """
    await redis.execute("ZADD", keys.MEMORY_DUE, "NX", (time.time() + for_s) * 1000, device_id)


async def write(redis: RedisClient, device_id: str, text: str, *, exchanges: int) -> bool:
    """Write a memory that so many more exchanges are in; return False where it was forgotten meanwhile.

    Raises:
        StateError: Redis is out of reach.
    """
    written = await redis.run(
        _WRITE,
        keys={"memory": keys.memory(device_id), "devices_changed": keys.DEVICES_CHANGED},
        arguments={
            "device_id": device_id,
            "text": text,
            "exchanges": exchanges,
            "memory_ttl_s": keys.MEMORY_TTL_S,
        },
    )
    return bool(written)


async def forget(redis: RedisClient, device_id: str) -> None:
    """Erase what was said with a device and what is remembered of it.

    Raises:
        StateError: Redis is out of reach.
    """
    await asyncio.gather(
        redis.submit(("DEL", keys.memory(device_id), keys.history(device_id))),
        redis.submit(("ZREM", keys.MEMORY_DUE, device_id)),
        redis.submit(("SADD", keys.DEVICES_CHANGED, device_id)),
    )
