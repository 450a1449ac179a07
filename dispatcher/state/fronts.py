"""What each front says of itself every few seconds: devices, and how many of them are busy."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from dispatcher.state import keys
from dispatcher.state.hashes import as_text
from dispatcher.state.line import RedisLine

SHOW_EVERY_S: Final = 3.0
# Longer than a front's own hash lives: who is silent for so long is gone.
GONE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontCounts:
    """One front as of its last word.

    Attributes:
        devices: connected.
        busy: of these, in a turn or listening.
        in_turn: turns under way.
        turns_begun: since the front started.
    """

    devices: int
    busy: int
    in_turn: int
    turns_begun: int


def show(line: RedisLine, front_id: str, counts: FrontCounts) -> None:
    """Write a front's counts; they are gone soon after the front is."""
    line.cast(
        *("HSET", keys.front(front_id), "devices", counts.devices, "busy", counts.busy),
        *("in_turn", counts.in_turn, "turns_begun", counts.turns_begun),
    )
    line.cast("EXPIRE", keys.front(front_id), keys.FRONT_TTL_S)
    line.cast("ZADD", keys.FRONTS, round(time.time(), 1), front_id)


async def read_fronts(line: RedisLine) -> dict[str, FrontCounts]:
    """Return the fronts that are alive, by id, and drop those that are not.

    Raises:
        StateError: Redis is out of reach.
    """
    line.cast("ZREMRANGEBYSCORE", keys.FRONTS, "-inf", f"({time.time() - GONE_S}")
    ids = [front_id.decode() for front_id in await line.call("ZRANGE", keys.FRONTS, 0, -1)]
    hashes = await asyncio.gather(*(line.submit(("HGETALL", keys.front(front_id))) for front_id in ids))
    found = {front_id: as_text(flat) for front_id, flat in zip(ids, hashes, strict=True) if flat}
    return {
        front_id: FrontCounts(**{name: int(fields[name]) for name in FrontCounts.__slots__})
        for front_id, fields in found.items()
    }
