"""Presence of the fronts, each published every few seconds: devices, and what each of them does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.messages import DevicePresence
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text

FRONT_TTL_S: Final = 15

PRESENCE_INTERVAL_S: Final = 3.0
# Longer than the hash of a front lives: a front without a report for so long has ended.
PRESENCE_TTL_S: Final = 60.0
NO_DEVICES: Final[Mapping[str, DevicePresence]] = {}


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
    redis: RedisClient, front_id: str, counts: FrontCounts, devices: Mapping[str, DevicePresence] = NO_DEVICES
) -> None:
    """Write a front's counts and its devices; both are gone soon after it is."""
    heard = {device_id: round(device.heard_at_s) for device_id, device in devices.items()}
    activity = {device_id: device.activity for device_id, device in devices.items() if device.activity}
    redis.send_nowait(
        *("HSET", keys.front(front_id), "devices", counts.devices, "busy", counts.busy),
        *("heard", json.dumps(heard), "activity", json.dumps(activity)),
        *("in_turn", counts.in_turn, "turns_begun", counts.turns_begun),
        *("overload_step", counts.overload_step, "line_ms", counts.line_ms),
        *("turned_away", counts.turned_away),
    )
    redis.send_nowait("EXPIRE", keys.front(front_id), FRONT_TTL_S)
    redis.send_nowait("ZADD", keys.FRONTS, round(time.time(), 1), front_id)


async def read_connected(redis: RedisClient) -> dict[str, DevicePresence]:
    """Return the devices that are connected to any front, by id.

    Raises:
        StateError: Redis is out of reach.
    """
    ids = [front_id.decode() for front_id in await redis.execute("ZRANGE", keys.FRONTS, 0, -1)]
    looks = (redis.submit(("HMGET", keys.front(front_id), "heard", "activity")) for front_id in ids)
    found: dict[str, DevicePresence] = {}
    for heard, activity in await asyncio.gather(*looks):
        doing = json.loads(activity or "{}")  # a front of an older version does not say
        for device_id, at_s in json.loads(heard or "{}").items():
            if device_id not in found or found[device_id].heard_at_s < at_s:
                found[device_id] = DevicePresence(heard_at_s=at_s, activity=doing.get(device_id, ""))
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
