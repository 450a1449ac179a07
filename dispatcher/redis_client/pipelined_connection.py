"""One connection to Redis: commands leave together, and their answers are handed on as they come.

redis-py makes the connection (TLS, passwords, sentinels) and reads what an answer means. Its coroutines and
asyncio's streams between both took four fifths of the CPU of a round trip (docs/performance.md), so that a
protocol of our own takes the socket over once the connection is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import hiredis
from redis._parsers import BaseParser
from redis.asyncio import Redis
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ReadOnlyError, RedisError

from dispatcher.redis_client.lua_script import Value

_INCOMPLETE: Final = object()


class AnswerProtocol(asyncio.Protocol):
    """Reader of the answers on a transport that redis-py has connected."""

    def __init__(self, transport: Any) -> None:
        """Take the transport over from redis-py, which still waits for its end."""
        self._transport = transport
        self._before: asyncio.Protocol = transport.get_protocol()
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=BaseParser.parse_error, notEnoughData=_INCOMPLETE
        )
        self._missing = 0
        self._on_answer: Callable[[Any], object] = id
        self._done: asyncio.Future[None] | None = None
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return not self._transport.is_closing()

    async def exchange(
        self, packed: bytes, count: int, on_answer: Callable[[Any], object], *, timeout_s: float
    ) -> None:
        """Send commands and return when all their answers have come; the connection is cut where they do not.

        Raises:
            RedisError, OSError, TimeoutError: the connection is lost, or what came is no answer.
        """
        loop = asyncio.get_running_loop()
        done = self._done = loop.create_future()
        self._missing, self._on_answer = count, on_answer
        timer = loop.call_later(timeout_s, self._fail, TimeoutError())
        self._transport.write(packed)
        try:
            await done
        except BaseException:  # what comes later belongs to no command
            self._transport.abort()
            raise
        finally:
            self._missing = 0
            timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Hand on the answers that are complete."""
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not _INCOMPLETE:
                if not isinstance(answer, hiredis.PushNotification):
                    self._take(answer)
        except RedisError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001  whatever it is, nobody else would end the exchange
            self._fail(InvalidResponse(repr(error)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits."""
        self._before.connection_lost(exc)
        self._fail(exc or RedisConnectionError("connection closed by the server"))

    def close(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _take(self, answer: Any) -> None:
        if isinstance(answer, RedisConnectionError):  # it loads its file, or wants a password
            raise answer
        if not self._missing or self._done is None:
            raise InvalidResponse("an answer without a command")
        self._on_answer(answer)  # where it raises, the answer is missing still
        self._missing -= 1
        if not self._missing and not self._done.done():
            self._done.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._transport.abort()
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)


class PipelinedConnection:
    """The one connection of a client that nothing else uses."""

    def __init__(self, client: Redis) -> None:
        """Connect later; the caller closes the client."""
        self._pool: Any = client.connection_pool
        callbacks: Any = client.response_callbacks
        self._meanings: dict[str, Callable[[Any], Any]] = dict(callbacks)
        self._connection: Any = None
        self._answers: AnswerProtocol | None = None

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._answers is not None and self._answers.is_open

    async def open(self) -> None:
        """Connect, where it is not connected.

        Raises:
            RedisError, OSError, TimeoutError: Redis is out of reach.
        """
        if self.is_open:
            return
        self._answers = None
        if self._connection is None:
            self._connection = await self._pool.get_connection()
        else:
            await self._connection.disconnect(nowait=True)
            await self._pool.ensure_connection(self._connection)
        self._answers = AnswerProtocol(self._connection._writer.transport)  # noqa: SLF001  redis-py names it nowhere else

    async def exchange(
        self, names: Sequence[str], packed: bytes, on_answer: Callable[[Any], object], *, timeout_s: float
    ) -> None:
        """Send commands on an open connection, and return when each answer, or error, was handed on.

        Args:
            names: of the commands.
            packed: all of them.
            on_answer: called with what an answer means, in their order; an error of one command is an answer.
            timeout_s: how long all of it may take.

        Raises:
            RedisError, OSError, TimeoutError: the connection is lost; what was not handed on may be done.
        """
        if self._answers is None or not self._answers.is_open:
            raise RedisConnectionError("connection closed by the server")
        upcoming = iter(names)
        await self._answers.exchange(
            packed,
            len(names),
            lambda answer: on_answer(self._meaning(next(upcoming), answer)),
            timeout_s=timeout_s,
        )

    async def execute(self, *command: Value, timeout_s: float) -> Any:
        """Return the answer to one command; errors as in `exchange`, and the command's own."""
        found: list[Any] = []
        words: Any = command
        packed = hiredis.pack_command(words)
        await self.exchange([str(command[0])], packed, found.append, timeout_s=timeout_s)
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def close(self) -> None:
        """Cut the connection; the next use makes another."""
        if self._answers is not None:
            self._answers.close()

    def _meaning(self, name: str, answer: Any) -> Any:
        """Return what redis-py makes of an answer."""
        if isinstance(answer, Exception):
            if isinstance(answer, ReadOnlyError) and isinstance(self._pool, SentinelConnectionPool):
                raise RedisConnectionError("the server is no master any more")
            return answer
        read = self._meanings.get(name)
        try:
            return answer if read is None else read(answer)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            return InvalidResponse(f"{name}: {error!r}")
