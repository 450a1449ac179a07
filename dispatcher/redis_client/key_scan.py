"""Scan of the keys of a Redis, in batches that block nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from dispatcher.redis_client.client import RedisClient

SCAN_BATCH: Final = 500


async def scan_keys(redis: RedisClient, pattern: str = "*") -> AsyncIterator[list[bytes]]:
    """Yield batches of the keys that match; one that is written meanwhile may be missing or come twice.

    Raises:
        StateError: Redis is out of reach.
    """
    cursor = 0
    while True:
        raw_cursor, names = await redis.execute("SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_BATCH)
        if names:
            yield names
        if not (cursor := int(raw_cursor)):
            return
