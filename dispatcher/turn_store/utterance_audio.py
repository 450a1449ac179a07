"""Audio of an utterance under the key of its turn, and the flag of a turn that was cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

from dispatcher.errors import StateError, TurnCancelled
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient


def put(cache: RedisClient, turn_id: str, packed: bytes) -> asyncio.Future[Any]:
    """Store the utterance's packed packets; await the answer before the task that reads them is sent.

    The cache may be a server of its own, so that no order of commands says that the claim is there.
    """
    return cache.submit(("SET", keys.claim(turn_id), packed, "EX", keys.TURN_TTL_S))


async def read(redis: RedisClient, turn_id: str, *, cache: RedisClient | None = None) -> bytes:
    """Return the utterance's packed packets; the claim stays, since a stage may run twice.

    Args:
        redis: shared state, which knows whether the turn was cancelled.
        turn_id: the turn.
        cache: where claims are; the same server when it is left out.

    Raises:
        TurnCancelled: a barge-in ended the turn; its claim was thrown away.
        StateError: the claim is gone (the turn is older than its time to live).
    """
    packed, cancelled = await asyncio.gather(
        (cache or redis).execute("GET", keys.claim(turn_id)), redis.execute("EXISTS", keys.cancelled(turn_id))
    )
    if cancelled:
        raise TurnCancelled(turn_id)
    if packed is None:
        raise StateError(f"claim of turn {turn_id} is gone")
    return bytes(packed)


def cancel(redis: RedisClient, turn_id: str) -> None:
    """Mark the turn, so that queued stages are dropped, and tell the workers that hold its streams."""
    redis.send_nowait("SET", keys.cancelled(turn_id), 1, "EX", keys.TURN_TTL_S)
    redis.send_nowait("PUBLISH", keys.CANCEL_CHANNEL, turn_id)
