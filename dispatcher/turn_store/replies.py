"""Replies of the stages: one bounded stream per front, written by workers, read by that front alone."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, cast, get_args

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from dispatcher.bounded_json import read_json
from dispatcher.errors import BUDGET_SPENT, BudgetSpent, StateError, in_words
from dispatcher.messages import Reply, ReplyKind
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import entries_of
from dispatcher.redis_client.lua_script import Value
from dispatcher.redis_client.pipelined_connection import PipelinedConnection

REPLIES_TTL_S: Final = 60
REPLIES_MAXLEN: Final = 20_000
log = structlog.get_logger(__name__)

REPLY_READ_BLOCK_MS = 5_000
# An answer that is later than that never comes: the connection was cut without a word.
REPLY_READ_GRACE_S = 5.0
REPLY_READ_COUNT = 500


# How many replies a front remembers, to know one that was sent again: several batches of every worker.
REMEMBERED_REPLIES = 4_096
_KINDS: Final[frozenset[str]] = frozenset(get_args(ReplyKind))
_PROCESS = secrets.token_hex(4)
_numbers = itertools.count()


def send(redis: RedisClient, stream: str, reply: Reply) -> None:
    """Append a reply; a front that stopped left no stream, and none is made for it.

    Where the connection breaks before the answer it is sent again, and the front takes the first of both.
    """
    fields: list[Value] = ["turn", reply.turn_id, "kind", reply.kind, "attempt", reply.attempt]
    fields += ["mark", f"{_PROCESS}{next(_numbers):x}"]
    if reply.index:
        fields += ["index", reply.index]
    if reply.text:
        fields += ["text", reply.text]
    if reply.packets:
        fields += ["packets", reply.packets]
    if reply.last:
        fields += ["last", 1]
    if reply.timings:
        fields += ["timings", json.dumps(reply.timings)]
    if reply.error:
        fields += ["error", reply.error]
    command = ("XADD", stream, "NOMKSTREAM", "MAXLEN", "~", REPLIES_MAXLEN, "*", *fields)
    redis.send_nowait(*command, repeatable=True)


def parsed(fields: Mapping[bytes, bytes]) -> list[Reply]:
    """Return the reply, or nothing where an entry is not one: a worker of another version wrote it."""
    try:
        return [_parse(fields)]
    except (KeyError, ValueError) as error:
        log.warning("reply not readable", turn=fields[b"turn"].decode("utf-8", "replace"), reason=repr(error))
        return []


def _parse(fields: Mapping[bytes, bytes]) -> Reply:
    kind, text = _kind(fields[b"kind"].decode()), fields.get(b"text", b"").decode()
    return Reply(
        turn_id=fields[b"turn"].decode(),
        attempt=int(fields[b"attempt"]),
        kind=kind,
        index=int(fields.get(b"index", 0)),
        text=text,
        packets=fields.get(b"packets", b""),
        last=b"last" in fields,
        timings=_timings(fields.get(b"timings")),
        error=fields[b"error"].decode() if b"error" in fields else _error_of(kind, text),
    )


def _error_of(kind: ReplyKind, text: str) -> str:
    """Return the class of an error that a reply does not name: an older worker tells it in words."""
    return BudgetSpent.__name__ if kind == "failed" and text.endswith(BUDGET_SPENT) else ""


def _timings(raw: bytes | None) -> dict[str, str | float] | None:
    if not raw:
        return None
    found = read_json(raw)
    if not isinstance(found, dict) or not all(isinstance(each, (str, int, float)) for each in found.values()):
        raise ValueError(f"timings {raw[:64]!r}, expected an object of texts and numbers")
    return found


def _kind(said: str) -> ReplyKind:
    if said not in _KINDS:
        raise ValueError(f"kind {said[:64]!r}, expected one of {', '.join(sorted(_KINDS))}")
    return cast("ReplyKind", said)


@contextmanager
def _state_errors() -> Iterator[None]:
    """Name what a connection raises as `RedisClient` does."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StateError(in_words(error)) from error


class ReplyReader:
    """Reads one front's stream in order, from the moment it was opened."""

    def __init__(self, client: Redis, stream: str) -> None:
        """Use a connection of its own: its reads block for up to REPLY_READ_BLOCK_MS."""
        self._client = client
        self._connection = PipelinedConnection(client)
        self._stream = stream
        self._last_id: bytes | str = "0-0"
        self._seen: dict[bytes, None] = {}

    @property
    def opening(self) -> tuple[tuple[Value, ...], ...]:
        """The commands that make the stream, and keep it alive, where Redis has none or lost it."""
        return (
            ("XADD", self._stream, "MAXLEN", "~", REPLIES_MAXLEN, "*", "kind", "opened"),
            ("EXPIRE", self._stream, REPLIES_TTL_S),
        )

    async def open(self) -> None:
        """Make the stream and keep it alive; also after Redis lost it.

        Raises:
            StateError: Redis is out of reach.
        """
        with _state_errors():
            await self._connection.open()
            for command in self.opening:
                await self._connection.execute(*command, timeout_s=REPLY_READ_GRACE_S)

    async def read(self) -> list[Reply]:
        """Wait for replies and return them, oldest first; an empty list after a quiet while.

        Raises:
            StateError: the connection is lost; `open` and read again.
        """
        with _state_errors():
            answer = await self._connection.execute(
                *("XREAD", "COUNT", REPLY_READ_COUNT, "BLOCK", REPLY_READ_BLOCK_MS),
                *("STREAMS", self._stream, self._last_id),
                timeout_s=REPLY_READ_BLOCK_MS / 1000 + REPLY_READ_GRACE_S,
            )
        replies = []
        for entry_id, fields in entries_of(answer):
            self._last_id = entry_id
            if b"turn" in fields and self._mark_seen(fields.get(b"mark")):
                replies += parsed(fields)
        return replies

    def _mark_seen(self, mark: bytes | None) -> bool:
        """Count a reply as read, and return whether it is new; one without a mark always is."""
        if mark is None:
            return True
        if mark in self._seen:
            return False
        self._seen[mark] = None
        if len(self._seen) > REMEMBERED_REPLIES:
            del self._seen[next(iter(self._seen))]
        return True

    async def trim(self, redis: RedisClient) -> None:
        """Drop what was read, and refresh the stream's time to live; where Redis lost it, make it anew.

        Raises:
            StateError: Redis is out of reach.
        """
        redis.send_nowait("XTRIM", self._stream, "MINID", self._last_id)
        # A key with a time to live may be evicted, and without the stream workers answer nobody.
        if not await redis.execute("EXPIRE", self._stream, REPLIES_TTL_S):
            for command in self.opening:
                redis.send_nowait(*command)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
