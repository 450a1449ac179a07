"""Flag of a speculative turn that was committed: its utterance is over, and it is a turn like any other."""

from __future__ import annotations

from typing import Final

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient

# A worker that has done all that it may asks so often.
COMMIT_POLL_INTERVAL_S: Final = 0.03


def commit(redis: RedisClient, turn_id: str) -> None:
    """Mark the turn: what waits for it goes on, and its calls wait for slots as real ones."""
    redis.send_nowait("SET", keys.committed(turn_id), 1, "EX", keys.TURN_TTL_S)


async def read_commitment(redis: RedisClient, turn_id: str) -> bool:
    """Return whether the turn is marked.

    Raises:
        StateError: Redis is out of reach.
    """
    return bool(await redis.execute("EXISTS", keys.committed(turn_id)))
