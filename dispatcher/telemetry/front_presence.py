"""Presence of the fronts, each published every few seconds: devices, and how many of them are busy."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text

FRONT_TTL_S: Final = 15

PRESENCE_INTERVAL_S: Final = 3.0
# Longer than the hash of a front lives: a front without a report for so long has ended.
PRESENCE_TTL_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontCounts:
    """One front as of its last report.

    Attributes:
        devices: connected.
        busy: of these, in a turn or listening.
        in_turn: turns under way.
        turns_begun: since the front started.
        overload_step: that it has taken.
        line_ms: length of the lines at the services.
        turned_away: turns that were, since it started.
    """

    devices: int
    busy: int
    in_turn: int
    turns_begun: int
    overload_step: int = 0
    line_ms: int = 0
    turned_away: int = 0


def publish(
    redis: RedisClient, front_id: str, counts: FrontCounts, *, heard_at_s: Mapping[str, float] | None = None
) -> None:
    """Write a front's counts, and when each of its devices was last heard; both are gone soon after it is."""
    heard = json.dumps({device_id: round(at_s) for device_id, at_s in (heard_at_s or {}).items()})
    redis.send_nowait(
        *("HSET", keys.front(front_id), "devices", counts.devices, "busy", counts.busy, "heard", heard),
        *("in_turn", counts.in_turn, "turns_begun", counts.turns_begun),
        *("overload_step", counts.overload_step, "line_ms", counts.line_ms),
        *("turned_away", counts.turned_away),
    )
    redis.send_nowait("EXPIRE", keys.front(front_id), FRONT_TTL_S)
    redis.send_nowait("ZADD", keys.FRONTS, round(time.time(), 1), front_id)


async def read_connected(redis: RedisClient) -> dict[str, float]:
    """Return the devices that are connected to any front, with the Unix time at which each was last heard.

    Raises:
        StateError: Redis is out of reach.
    """
    ids = [front_id.decode() for front_id in await redis.execute("ZRANGE", keys.FRONTS, 0, -1)]
    told = await asyncio.gather(*(redis.submit(("HGET", keys.front(front_id), "heard")) for front_id in ids))
    found: dict[str, float] = {}
    for heard in told:
        for device_id, at_s in json.loads(heard or "{}").items():
            found[device_id] = max(float(at_s), found.get(device_id, 0.0))
    return found


async def read_fronts(redis: RedisClient) -> dict[str, FrontCounts]:
    """Return the fronts that are alive, by id, and drop those that are not.

    Raises:
        StateError: Redis is out of reach.
    """
    redis.send_nowait("ZREMRANGEBYSCORE", keys.FRONTS, "-inf", f"({time.time() - PRESENCE_TTL_S}")
    ids = [front_id.decode() for front_id in await redis.execute("ZRANGE", keys.FRONTS, 0, -1)]
    hashes = await asyncio.gather(*(redis.submit(("HGETALL", keys.front(front_id))) for front_id in ids))
    found = {front_id: as_text(flat) for front_id, flat in zip(ids, hashes, strict=True) if flat}
    return {
        # A front of an older version says less of itself.
        front_id: FrontCounts(**{name: int(fields.get(name, 0)) for name in FrontCounts.__slots__})
        for front_id, fields in found.items()
    }
