"""A command to Redis as it waits to be sent, and how whoever waits for it learns its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import hiredis
import structlog

from dispatcher.errors import StateError, in_words
from dispatcher.redis_client.lua_script import Value

log = structlog.get_logger(__name__)

# Twice is the same as once, in what it does and in what it answers.
_REPEATABLE = frozenset(
    (
        *("PING", "GET", "MGET", "EXISTS", "HGET", "HMGET", "HGETALL", "LRANGE", "LLEN", "SMEMBERS"),
        *("XRANGE", "XREVRANGE", "ZRANGE", "ZRANGEBYSCORE", "ZCARD", "EXPIRE"),
    )
)


@dataclass(slots=True, eq=False)
class Pending:
    """A command as it is sent, and who waits for its answer; nobody does after a cast."""

    name: str
    packed: bytes
    answer: asyncio.Future[Any] | None
    repeatable: bool

    @classmethod
    def of(
        cls, command: Sequence[Value], answer: asyncio.Future[Any] | None, *, repeatable: bool | None = None
    ) -> Pending:
        """Return a command ready to be sent.

        Args:
            command: its name and arguments.
            answer: of whoever waits.
            repeatable: whether it may be carried out twice; by its name where that is left out.

        Raises:
            StateError: it holds what Redis cannot be told.
        """
        name = str(command[0])
        if repeatable is None:
            repeatable = _is_repeatable(command)
        return cls(name, _packed(command), answer, repeatable)

    def settle(self, answer: Any) -> None:
        """Give the answer, or the error, to whoever waits; an error that nobody waits for is logged."""
        if self.answer is None:
            if isinstance(answer, Exception):
                log.warning("redis command failed", command=self.name, reason=in_words(answer))
            return
        if self.answer.done():  # its waiter gave up
            return
        if isinstance(answer, Exception):
            error = StateError(f"redis: {in_words(answer)}")
            error.__cause__ = answer
            self.answer.set_exception(error)
        else:
            self.answer.set_result(answer)


def _packed(command: Sequence[Value]) -> bytes:
    try:
        words: Any = tuple(command)  # hiredis's stub knows tuples of one
        return cast("bytes", hiredis.pack_command(words))
    except (TypeError, UnicodeEncodeError) as error:
        raise StateError(f"redis: {command[0]!s} holds what cannot be sent: {error}") from error


def _is_repeatable(command: Sequence[Value]) -> bool:
    name = command[0]
    return name in _REPEATABLE or (name == "SET" and "NX" not in command and "GET" not in command)
