"""Tail of the streams of decisions and records: records as they come, decisions in batches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dispatcher.backoff import BackOff
from dispatcher.console.call_history import CallHistory, SeenCall
from dispatcher.errors import in_words
from dispatcher.redis_client import keys
from dispatcher.redis_client.decoding import entries_of

log = structlog.get_logger(__name__)

TAIL_BLOCK_MS: Final = 1_000
# An answer that is later than that never comes: the connection was cut without a word.
TAIL_GRACE_S: Final = 5.0
TAIL_COUNT: Final = 500
_STREAMS: Final = (keys.DECISIONS, keys.RECORDS)


class StreamFollower(Protocol):
    """Receiver of what is added to the streams."""

    def add_decision(self, fields: Mapping[str, str], seen: SeenCall) -> None:
        """Take a pick or the end of a call, with what it means."""
        ...

    def add_record(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Take a record."""
        ...


class StreamTail:
    """Reader of what is added while this process runs; nothing earlier is counted.

    Records are taken out once they are in SQL, so a read waits for them instead of polling. Decisions stay,
    and are read in batches: a turn has some twenty, each of which would wake this process.
    """

    def __init__(self, client: Redis, *followers: StreamFollower) -> None:
        """Use a connection of its own: its reads block for up to TAIL_BLOCK_MS."""
        self._client = client
        self._followers = followers
        self._history = CallHistory()
        self._last_ids: dict[str, bytes | str] = {}

    async def run(self) -> None:
        """Count entries until cancelled; after an outage of Redis it reads on where it was."""
        pauses = BackOff()
        while True:
            try:
                await self._open()
                while True:
                    await self._read()
                    pauses.reset()
            except (RedisError, OSError, TimeoutError) as error:
                if not pauses.tries:
                    log.warning("streams interrupted", reason=in_words(error))
                await asyncio.sleep(pauses.next_s())

    async def _open(self) -> None:
        """Begin behind what is there; a Redis that came back empty counts its ids on, for they are times."""
        for stream in _STREAMS:
            if stream not in self._last_ids:
                newest: Any = await self._client.xrevrange(stream, count=1)
                self._last_ids[stream] = newest[0][0] if newest else "0-0"

    async def _read(self) -> None:
        """Wait for records for a second at most, then count them and all decisions since the last time."""
        await self._read_stream(keys.RECORDS, block=TAIL_BLOCK_MS)
        while await self._read_stream(keys.DECISIONS) == TAIL_COUNT:
            pass

    async def _read_stream(self, stream: str, *, block: int | None = None) -> int:
        """Count what is new in a stream, and return how many entries that is."""
        async with asyncio.timeout((block or 0) / 1000 + TAIL_GRACE_S):
            answer = await self._client.xread({stream: self._last_ids[stream]}, count=TAIL_COUNT, block=block)
        entries = list(entries_of(answer))
        for entry_id, fields in entries:
            self._last_ids[stream] = entry_id
            self._add(stream, fields)
        return len(entries)

    def _add(self, stream: str, fields: Any) -> None:
        """Count an entry; one that no version of ours wrote, or that is deleted already, is left out."""
        try:
            texts = {name.decode(): value.decode() for name, value in (fields or {}).items()}
            if stream == keys.DECISIONS:
                seen = self._history.observe(texts)
                for follower in self._followers:
                    follower.add_decision(texts, seen)
            elif "kind" in texts:
                record = json.loads(texts["fields"])
                for follower in self._followers:
                    follower.add_record(texts["kind"], record if isinstance(record, dict) else {})
        except (KeyError, ValueError) as error:
            log.warning("entry not readable", stream=stream, reason=repr(error))
