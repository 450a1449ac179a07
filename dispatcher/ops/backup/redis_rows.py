"""Rows of a backup from Redis, and back: dialogues, devices, runtime overrides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.key_scan import scan_keys
from dispatcher.redis_client.lua_script import Script

MEMBER: Final = "state/keys.jsonl"
_PUT_BACK: Final = Script.load("dispatcher.ops.backup", "put_back")


async def read_rows(redis: RedisClient) -> list[dict[str, Any]]:
    """Return each key with its kind, its remaining time to live, and its content.

    Raises:
        StateError: Redis is out of reach.
    """
    rows = []
    for pattern in (keys.history("*"), keys.device("*"), keys.OVERRIDES):
        async for batch in scan_keys(redis, pattern):
            found = [await _read_key(redis, raw.decode("utf-8", "surrogateescape")) for raw in batch]
            rows += [row for row in found if row is not None]
    return rows


async def write_rows(redis: RedisClient, rows: Iterable[dict[str, Any]]) -> int:
    """Put keys back, each whole in one step in place of the one that is there; return how many.

    Raises:
        StateError: Redis is out of reach; those before are back.
    """
    count = 0
    for row in rows:
        words = [word.encode("utf-8", "surrogateescape") for word in row["words"]]
        arguments = {"kind": row["kind"], "ttl_ms": row["ttl_ms"]}
        await redis.run(_PUT_BACK, keys={"restored": row["key"]}, arguments=arguments, rest=words)
        count += 1
    return count


def is_ours(row: Any) -> bool:
    """Return whether a row is one that a backup writes; nothing else of Redis is ever touched."""
    if not isinstance(row, dict) or row.get("kind") not in ("list", "hash"):
        return False
    key = str(row.get("key", ""))
    known = key.startswith((keys.history(""), keys.device(""))) or key == keys.OVERRIDES
    words = row.get("words")
    return known and isinstance(row.get("ttl_ms"), int) and isinstance(words, list) and bool(words)


async def _read_key(redis: RedisClient, key: str) -> dict[str, Any] | None:
    """Return one key as a row; None where it was removed meanwhile."""
    kind = "list" if key.startswith(keys.history("")) else "hash"
    command = ("LRANGE", key, 0, -1) if kind == "list" else ("HGETALL", key)
    found = await redis.execute(*command)
    flat = [word for pair in found.items() for word in pair] if isinstance(found, dict) else found
    words = [word.decode("utf-8", "surrogateescape") for word in flat]
    ttl_ms = int(await redis.execute("PTTL", key))
    return {"key": key, "kind": kind, "ttl_ms": max(0, ttl_ms), "words": words} if words else None
