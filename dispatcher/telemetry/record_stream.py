"""The stream of records: what happened, on its way to SQL, so that no turn ever waits for a database.

Fronts and the control worker add, one drain at a time takes out. The stream is bounded: while the store
is down the oldest entries go first, and how many went is known exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

import structlog

from dispatcher.errors import StateError
from dispatcher.messages import Record, RecordKind
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.redis_client.lua_script import Script

# Ten hours of fifty devices with a turn a minute each, in 30 MB at most (docs/records.md).
RECORDS_MAXLEN: Final = 50_000
log = structlog.get_logger(__name__)

KINDS: Final = get_args(RecordKind)
GROUP: Final = "sql"
CONSUMER: Final = "drain"
# Entries of kinds that only a newer version knows wait for it beside the stream.
UNKNOWN_MAXLEN: Final = 10_000
# An entry larger than this is a mistake; its fields would only be cut later.
MAX_CHARACTERS: Final = 16_000
LOOK: Final = Script.load("dispatcher.telemetry", "records_state")
DONE: Final = Script.load("dispatcher.telemetry", "records_done")
_ASIDE: Final = Script.load("dispatcher.telemetry", "records_aside")
_BACK: Final = Script.load("dispatcher.telemetry", "records_back")
_STREAM: Final = {
    "records": keys.RECORDS,
    "drained": keys.RECORDS_DRAINED,
    "unknown": keys.RECORDS_UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """How the stream stands.

    Attributes:
        life: names the stream since it was made; another one after Redis came back empty.
        backlog: entries in it now.
        dropped: entries of this life that were trimmed away before they were drained.
    """

    life: str
    backlog: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Entries read and not yet done with.

    Attributes:
        records: those that can be kept, oldest first.
        unknown: ids of entries of a kind that a newer version wrote.
        unreadable: ids of entries that no version of ours wrote.
        trimmed: ids of entries that were read once and trimmed away before they were done with.
    """

    records: tuple[Record, ...] = ()
    unknown: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    trimmed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was read."""
        return not (self.records or self.unknown or self.unreadable or self.trimmed)


def add(redis: RedisClient, kind: RecordKind, fields: Mapping[str, Any]) -> None:
    """Add a record, and wait for nothing: a turn is never the worse for it.

    Args:
        redis: connection to the shared state.
        kind: which table it goes to.
        fields: JSON-ready facts; ids, times and reasons, never what a user said or heard.
    """
    packed = json.dumps(fields, ensure_ascii=False)
    if len(packed) > MAX_CHARACTERS:
        log.warning("record too large", kind=kind, characters=len(packed))
        return
    try:
        redis.send_nowait(
            "XADD", keys.RECORDS, "MAXLEN", "~", RECORDS_MAXLEN, "*", "kind", kind, "fields", packed
        )
    except StateError as error:
        log.warning("record not taken", kind=kind, reason=str(error))


async def open_stream(redis: RedisClient, fresh_life: str) -> StreamState:
    """Return how the stream stands; it and its group are made where they are missing.

    Raises:
        StateError: Redis is out of reach.
    """
    answer = await redis.run(LOOK, keys=_STREAM, arguments={"group": GROUP, "fresh_life": fresh_life})
    life, added, drained, length = answer
    return StreamState(
        life=life.decode(), backlog=int(length), dropped=max(0, int(added) - int(drained) - int(length))
    )


async def read_state(redis: RedisClient) -> StreamState | None:
    """Return how the stream stands without making anything; None where nothing was ever added.

    Raises:
        StateError: Redis is out of reach.
    """
    return (
        await open_stream(redis, "unknown") if await redis.execute("EXISTS", keys.RECORDS_DRAINED) else None
    )


async def read(redis: RedisClient, count: int) -> Batch:
    """Return what an earlier drain left unfinished; where that is nothing, what is new.

    Raises:
        StateError: Redis is out of reach, or lost the stream: `open_stream` makes it anew.
    """
    for since in ("0", ">"):
        answer = await redis.execute(
            "XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", count, "STREAMS", keys.RECORDS, since
        )
        batch = _batch(_entries(answer))
        if not batch.is_empty:
            return batch
    return Batch()


async def acknowledge(redis: RedisClient, ids: Sequence[str], *, counted: bool = True) -> None:
    """Take entries out of the stream; `counted` unless they were lost before they could be kept.

    Raises:
        StateError: Redis is out of reach; the entries are read again, and known by their ids.
    """
    if ids:
        await redis.run(DONE, keys=_STREAM, arguments={"group": GROUP, "weight": counted}, rest=ids)


async def lay_aside(redis: RedisClient, ids: Sequence[str]) -> None:
    """Keep entries of unknown kinds beside the stream, for a version that knows them.

    Raises:
        StateError: Redis is out of reach; the entries are read again.
    """
    if ids:
        log.warning("records of a newer version laid aside", entries=len(ids), kept=UNKNOWN_MAXLEN)
        await redis.run(_ASIDE, keys=_STREAM, arguments={"group": GROUP, "maxlen": UNKNOWN_MAXLEN}, rest=ids)


async def put_back(redis: RedisClient) -> int:
    """Put what an older version laid aside, and this one knows, back into the stream; return how many.

    Raises:
        StateError: Redis is out of reach.
    """
    return int(await redis.run(_BACK, keys=_STREAM, arguments={"maxlen": RECORDS_MAXLEN}, rest=KINDS))


def entry_id(record: Record) -> str:
    """Return the id of a record's entry, as Redis writes it."""
    return f"{record.entry_ms}-{record.entry_seq}"


def entry_key(entry: str) -> tuple[int, int]:
    """Return the two halves of an entry's id, in the order of the stream."""
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds), int(sequence)


def _entries(answer: Any) -> Sequence[tuple[bytes, Sequence[bytes] | None]]:
    """Return the entries of the one stream, in either protocol version."""
    if not answer:
        return ()
    first = next(iter(answer.values())) if isinstance(answer, dict) else answer[0][1]
    return cast("Sequence[tuple[bytes, Sequence[bytes] | None]]", first)


def _batch(entries: Sequence[tuple[bytes, Any]]) -> Batch:
    records, unknown, unreadable, trimmed = [], [], [], []
    for raw_id, flat in entries:
        if not flat:
            trimmed.append(raw_id.decode())
            continue
        try:
            record = _record(raw_id.decode(), flat)
        except (KeyError, ValueError, RecursionError) as error:
            unreadable.append(raw_id.decode())
            log.warning("record not readable", entry=raw_id.decode(), reason=repr(error))
            continue
        if record.kind in KINDS:
            records.append(record)
        else:
            unknown.append(raw_id.decode())
    return Batch(
        records=tuple(records),
        unknown=tuple(unknown),
        unreadable=tuple(unreadable),
        trimmed=tuple(trimmed),
    )


def _record(name: str, flat: Any) -> Record:
    pairs = as_text(flat)
    kind, fields = pairs["kind"], json.loads(pairs["fields"])
    if not isinstance(fields, dict):
        raise ValueError(f"kind {kind!r} with {type(fields).__name__}")  # noqa: TRY004  as JSON that is none
    entry_ms, entry_seq = entry_key(name)
    return Record(entry_ms=entry_ms, entry_seq=entry_seq, kind=cast("RecordKind", kind), fields=fields)
