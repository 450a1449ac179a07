"""Counters of usage in Redis, on their way into the stream of records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import Script
from dispatcher.routing.call_usage import SEPARATOR
from dispatcher.routing.rules.constants import USAGE_COUNTERS_MAX, USAGE_OTHERS
from dispatcher.routing.rules.usage import KEPT
from dispatcher.telemetry.record_stream import RECORDS_MAXLEN

log = structlog.get_logger(__name__)
# Far below what an entry of the stream may have.
COUNTERS_PER_ENTRY: Final = 100
_TAKE: Final = Script.load("dispatcher.telemetry", "take_usage")
_PARTS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageKey:
    """Part of all usage that is kept as one row.

    Attributes:
        day: YYYY-MM-DD in the zone of the house.
        device, persona: empty for calls of the house.
    """

    day: str
    service: str
    instance: str
    device: str
    persona: str


async def move_to_stream(redis: RedisClient) -> int:
    """Move the counters of Redis into the stream of records; return how many there were.

    Raises:
        StateError: Redis is out of reach.
    """
    moved = await redis.run(
        _TAKE,
        keys={"usage": keys.USAGE, "records": keys.RECORDS},
        arguments={"maxlen": RECORDS_MAXLEN, "most": COUNTERS_PER_ENTRY},
    )
    if notice := crowding(int(moved)):
        log.warning("usage of many devices is one row", counters=int(moved), reason=notice)
    return int(moved)


async def read_crowding(redis: RedisClient) -> str:
    """Return what is wrong with the counters that wait; empty where they are few.

    Raises:
        StateError: Redis is out of reach.
    """
    return crowding(int(await redis.execute("HLEN", keys.USAGE)))


def crowding(counters: int) -> str:
    """Return what so many counters mean; empty where they are few."""
    if counters < USAGE_COUNTERS_MAX:
        return ""
    return (
        f"usage: {counters} counters wait for the records, "
        f"so what other devices use is counted under {USAGE_OTHERS}"
    )


def amounts_in(fields: Mapping[str, Any]) -> dict[UsageKey, dict[str, float]]:
    """Return what a record of usage adds to each row; what no version of ours wrote is left out."""
    found: defaultdict[UsageKey, dict[str, float]] = defaultdict(dict)
    for key, unit, amount in _counters(fields.get("counters")):
        found[key][unit] = amount
    return dict(found)


def _counters(counters: Any) -> Iterator[tuple[UsageKey, str, float]]:
    for name, written in counters.items() if isinstance(counters, dict) else ():
        parts = name.split(SEPARATOR)
        try:
            amount = float(written)
        except (TypeError, ValueError):
            continue
        if len(parts) == _PARTS and parts[-1] in KEPT:
            day, service, instance, device, persona, unit = parts
            key = UsageKey(day=day, service=service, instance=instance, device=device, persona=persona)
            yield key, unit, amount
