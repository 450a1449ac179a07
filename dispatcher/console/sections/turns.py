"""The last turns, and the explanation of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from dispatcher.console.live_feed import FeedSources
from dispatcher.console.snapshot import ConsoleSnapshot
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import decisions, instance_table
from dispatcher.telemetry import turn_log


async def read(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the last turns, newest first."""
    return {"turns": sources.turns.newest()}


async def explain(redis: RedisClient, turn_id: str) -> Mapping[str, Any]:
    """Return each call of a turn, as `dispatcher why` has them, and its words where the catalogue shows them.

    Raises:
        UnknownName: none is kept of it.
        StateError: Redis is out of reach.
    """
    found = await decisions.of_turn(redis, turn_id)
    end = await turn_log.read_end(redis, found[0].turn_id)
    # Those that were kept before it was switched off are shown no more.
    if end is not None and (end.said or end.answered) and not await _shows_words(redis):
        end = replace(end, said="", answered="")
    calls = [{**asdict(decision), "is_probe": decision.is_probe} for decision in found]
    return {"turn": found[0].turn_id, "calls": calls, "end": None if end is None else asdict(end)}


async def _shows_words(redis: RedisClient) -> bool:
    active = await instance_table.read_active(redis)
    return active is not None and active.catalogue.console.transcripts
