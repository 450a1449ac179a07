"""What a turn leaves in Redis: its utterance under a claim key, and a flag when it was cancelled."""

from __future__ import annotations

from dispatcher.errors import StateError, TurnCancelled
from dispatcher.state import keys
from dispatcher.state.line import RedisLine


def put_claim(line: RedisLine, turn_id: str, packed: bytes) -> None:
    """Store the utterance's packed packets, ahead of the task that reads them on the same line."""
    line.cast("SET", keys.claim(turn_id), packed, "EX", keys.CLAIM_TTL_S)


async def read_claim(line: RedisLine, turn_id: str) -> bytes:
    """Return the utterance's packed packets; the claim stays, since a stage may run twice.

    Raises:
        TurnCancelled: a barge-in ended the turn; its claim was thrown away.
        StateError: the claim is gone (the turn is older than its time to live).
    """
    packed, cancelled = await line.call("MGET", keys.claim(turn_id), keys.cancelled(turn_id))
    if cancelled is not None:
        raise TurnCancelled(turn_id)
    if packed is None:
        raise StateError(f"claim of turn {turn_id} is gone")
    return bytes(packed)


def cancel(line: RedisLine, turn_id: str) -> None:
    """Mark the turn, so that queued stages are dropped, and tell the workers that hold its streams."""
    line.cast("SET", keys.cancelled(turn_id), 1, "EX", keys.CANCELLED_TTL_S)
    line.cast("PUBLISH", keys.CANCEL_CHANNEL, turn_id)
