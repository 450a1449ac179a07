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
WRITES = {"PING", "XADD", "XTRIM", "LTRIM", "EXPIRE", "SET", "HSET", "ZADD", "UNLINK", "DEL", "PUBLISH"}


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
        self._batch = hiredis.Reader()

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

    def register_connect_callback(self, callback: object) -> None:
        """A server that is always the same needs no greeting."""

    async def send_packed_command(self, packed: bytes, **_: bool) -> None:
        self._batch.feed(packed)

    async def parse_response(self, _: Self, name: str) -> Any:
        words = [word.decode(errors="replace") for word in self._batch.gets()]
        assert words[0] == name
        await self.answers.wait()
        if self.away:
            raise RedisConnectionError("connection refused")
        if name != "EVALSHA":
            self.commands.append(tuple(words))
        return 1 if name in WRITES else self._answer(*words)

    async def aclose(self) -> None:
        pass

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
