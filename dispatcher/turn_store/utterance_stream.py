"""Stream of an utterance while it is spoken: a short one for each, from the front to one worker.

The front appends packets as they come, and ends it; each reader reads from the beginning, so
that a second one gets all of it. The stream goes when the turn does.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from dispatcher.backoff import BackOff
from dispatcher.errors import StateError, in_words
from dispatcher.messages import TurnTicket
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import REDIS_RECONNECT_TIMEOUT_S, RedisClient
from dispatcher.redis_client.decoding import entries_of
from dispatcher.redis_client.lua_script import Value

# Ten minutes of speech in entries of 120 ms; `max_utterance_s` ends an utterance long before.
UTTERANCE_MAXLEN: Final = 5_000

UTTERANCE_READ_BLOCK_MS: Final = 1_000
UTTERANCE_READ_COUNT: Final = 200
# An answer that is later than that never comes: the connection was cut without a word.
UTTERANCE_READ_GRACE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UtterancePart:
    """One entry: some more of the utterance.

    Attributes:
        packed: packets as `dispatcher.audio.packets.pack` writes them; may be empty.
        ticket: set on the last entry: that of the turn which the utterance became.
    """

    packed: bytes
    ticket: TurnTicket | None = None


def append(redis: RedisClient, turn_id: str, packed: bytes) -> None:
    """Add the audio since the last time.

    Raises:
        StateError: too many commands wait for Redis already.
    """
    _add(redis, turn_id, ["packets", packed])


def end(redis: RedisClient, ticket: TurnTicket) -> None:
    """End the utterance with the ticket that its turn goes on with; errors as in `append`."""
    _add(redis, ticket.turn_id, ["ticket", json.dumps(ticket.as_payload())])


def _add(redis: RedisClient, turn_id: str, fields: list[Value]) -> None:
    key = keys.utterance(turn_id)
    redis.send_nowait("XADD", key, "MAXLEN", "~", UTTERANCE_MAXLEN, "*", *fields)
    redis.send_nowait("EXPIRE", key, keys.TURN_TTL_S)


class UtteranceReader:
    """Reads one utterance from its beginning."""

    def __init__(self, client: Redis, turn_id: str) -> None:
        """Use a client without a socket time-out: its reads block for UTTERANCE_READ_BLOCK_MS."""
        self._client = client
        self._key = keys.utterance(turn_id)
        self._last_id: bytes | str = "0-0"

    async def read(self) -> list[UtterancePart]:
        """Wait for more and return it, oldest first; an empty list after a quiet while.

        A Redis that restarts is waited for: to read on from the same place asks nothing twice.

        Raises:
            StateError: Redis is out of reach.
        """
        pauses, missed_at_s = BackOff(), 0.0
        while True:
            try:
                return self._parts(await self._more())
            except (RedisError, OSError, TimeoutError) as error:
                missed_at_s = missed_at_s or time.monotonic()
                if (
                    isinstance(error, TimeoutError)
                    or time.monotonic() - missed_at_s > REDIS_RECONNECT_TIMEOUT_S
                ):
                    raise StateError(f"redis: {in_words(error)}") from error
            await asyncio.sleep(pauses.next_s())

    async def _more(self) -> Any:
        async with asyncio.timeout(UTTERANCE_READ_BLOCK_MS / 1000 + UTTERANCE_READ_GRACE_S):
            return await self._client.xread(
                {self._key: self._last_id}, count=UTTERANCE_READ_COUNT, block=UTTERANCE_READ_BLOCK_MS
            )

    def _parts(self, answer: Any) -> list[UtterancePart]:
        parts = []
        for entry_id, fields in entries_of(answer):
            self._last_id = entry_id
            parts.append(
                UtterancePart(packed=fields.get(b"packets", b""), ticket=_ticket(fields.get(b"ticket")))
            )
        return parts


def _ticket(raw: bytes | None) -> TurnTicket | None:
    """Return the ticket of a last entry; a front of another version may write one that cannot be read."""
    try:
        return None if raw is None else TurnTicket.from_payload(json.loads(raw))
    except (TypeError, ValueError) as error:
        raise StateError(f"the end of the utterance is not readable: {error}") from error
