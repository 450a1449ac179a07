"""Lock in Redis that ends by itself, and that only its owner prolongs or releases.

Every function raises StateError when Redis is out of reach.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import NamedValues, Script

_EXPIRE: Final = Script.load("dispatcher.control", "expire_lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedLock:
    """A lock that was acquired; the token tells it from the next one of the same key."""

    key: str
    token: str


async def try_acquire(redis: RedisClient, key: str, *, ttl_ms: int) -> OwnedLock | None:
    """Return the lock of a key; None while another owner holds it."""
    lock = OwnedLock(key=key, token=uuid.uuid4().hex)
    return lock if await redis.execute("SET", key, lock.token, "NX", "PX", ttl_ms) else None


async def expire(redis: RedisClient, lock: OwnedLock, *, in_ms: int) -> bool:
    """Move the end of a lock; return whether it was still held."""
    arguments: NamedValues = {"token": lock.token, "in_ms": in_ms}
    return bool(await redis.run(_EXPIRE, keys={"lock": lock.key}, arguments=arguments))


async def release(redis: RedisClient, lock: OwnedLock) -> None:
    """End a lock, unless it ended already."""
    await expire(redis, lock, in_ms=0)
