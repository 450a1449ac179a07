"""As much of Redis as the front's own commands need, in memory: the far end of a line without a server."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Self, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.exceptions import ConnectionError as RedisConnectionError

from dispatcher.chains import PUSH
from dispatcher.redis_client.client import RedisClient

# Commands that only write, and do nothing here.
WRITES = {
    "PING",
    "XADD",
    "XTRIM",
    "LTRIM",
    "EXPIRE",
    "SET",
    "HSET",
    "HINCRBY",
    "ZADD",
    "UNLINK",
    "DEL",
    "PUBLISH",
}


class MemoryRedis:
    """Lists, hashes and PING; what only writes does nothing but for the push; the rest is refused.

    Attributes:
        away: every command fails as if the server were gone.
        answers: cleared, it keeps every answer back.
        commands: all that came, scripts aside.
    """

    def __init__(self) -> None:
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.lists: defaultdict[str, list[str]] = defaultdict(list)
        self.hashes: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.commands: list[tuple[str, ...]] = []
        self.scripts: list[tuple[str, ...]] = []
        self.connection_kwargs: dict[str, Any] = {}
        self.response_callbacks: dict[str, Any] = {}
        self._transport = _Transport(self)

    def redis(self) -> RedisClient:
        """Return a line to this server."""
        return RedisClient(cast("Redis", self))

    @property
    def connection_pool(self) -> Self:
        return self

    async def get_connection(self) -> Self:
        await self.ensure_connection(self)
        return self

    async def ensure_connection(self, _: Self) -> None:
        if self.away:
            raise RedisConnectionError("connection refused")

    def set_retry(self, retry: Retry) -> None:
        pass

    @property
    def _writer(self) -> Self:
        return self

    @property
    def transport(self) -> _Transport:
        return self._transport

    async def disconnect(self, *, nowait: bool) -> None:
        pass

    async def aclose(self) -> None:
        pass

    def answer(self, words: list[str]) -> Any:
        """Return the answer to a command."""
        if words[0] != "EVALSHA":
            self.commands.append(tuple(words))
        return 1 if words[0] in WRITES else self._answer(*words)

    def _answer(self, name: str, *arguments: str) -> Any:
        match name, arguments:
            case "LPUSH", (key, value):
                self.lists[key].insert(0, value)
                return len(self.lists[key])
            case "HGETALL", (key,):
                return [str(word).encode() for pair in self.hashes[key].items() for word in pair]
            case "EVALSHA", (PUSH.sha, "2", _, key, _, value):
                return self._answer("LPUSH", key, value)
            case "EVALSHA", (_, _, *rest):
                self.scripts.append(tuple(rest))
                return []
        return ValueError(f"this server does not know {name!r} {arguments!r}")


class _Transport:
    """The way to the server: what is written is answered as soon as it answers at all."""

    def __init__(self, server: MemoryRedis) -> None:
        self._server = server
        self._batch = hiredis.Reader()
        self._protocol: Any = asyncio.Protocol()
        self._is_cut = False
        self._answering: set[asyncio.Task[None]] = set()

    def get_protocol(self) -> Any:
        self._is_cut = False
        return asyncio.Protocol()

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._is_cut or self._server.away

    def abort(self) -> None:
        self._is_cut = True

    def write(self, packed: bytes) -> None:
        self._batch.feed(packed)
        task = asyncio.get_running_loop().create_task(self._answer_all())
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer_all(self) -> None:
        while words := self._batch.gets():
            await self._server.answers.wait()
            if self._server.away:
                self._protocol.connection_lost(RedisConnectionError("connection refused"))
                return
            answer = self._server.answer([word.decode(errors="replace") for word in words])
            self._protocol.data_received(_encoded(answer))


def _encoded(answer: Any) -> bytes:
    """Return an answer as Redis sends it."""
    match answer:
        case int():
            return b":%d\r\n" % answer
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(answer), answer)
        case list():
            return b"*%d\r\n%s" % (len(answer), b"".join(map(_encoded, answer)))
    return f"-ERR {answer}\r\n".encode()
