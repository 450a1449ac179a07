"""As much of Redis as the front's own commands need, in memory: the far end of a line without a server."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Self, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.exceptions import ConnectionError as RedisConnectionError

from dispatcher.chains import PUSH
from dispatcher.state.line import RedisLine, Value


class MemoryRedis:
    """Lists, hashes and PING; scripts but the one that pushes are noted and do nothing; the rest is refused.

    Attributes:
        away: every command fails as if the server were gone.
        answers: cleared, it keeps every answer back.
    """

    def __init__(self) -> None:
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.lists: defaultdict[Value, list[Value]] = defaultdict(list)
        self.hashes: defaultdict[Value, dict[Value, Value]] = defaultdict(dict)
        self.scripts: list[tuple[Value, ...]] = []
        self._batch: list[tuple[Value, ...]] = []

    def line(self) -> RedisLine:
        """Return a line to this server."""
        return RedisLine(cast("Redis", self))

    @property
    def connection_pool(self) -> Self:
        return self

    async def get_connection(self) -> None:
        if self.away:
            raise RedisConnectionError("connection refused")

    def set_retry(self, retry: Retry) -> None:
        pass

    def pipeline(self, *, transaction: bool) -> Self:
        assert not transaction
        return self

    def execute_command(self, *command: Value) -> None:
        self._batch.append(command)

    async def execute(self, *, raise_on_error: bool) -> list[Any]:
        assert not raise_on_error
        batch, self._batch = self._batch, []
        await self.answers.wait()
        if self.away:
            raise RedisConnectionError("connection refused")
        return [self._answer(*command) for command in batch]

    async def aclose(self) -> None:
        pass

    def _answer(self, name: Value, *arguments: Value) -> Any:
        match name, arguments:
            case "PING", ():
                return b"PONG"
            case "LPUSH", (key, value):
                self.lists[key].insert(0, value)
                return len(self.lists[key])
            case "HGETALL", (key,):
                return [str(word).encode() for pair in self.hashes[key].items() for word in pair]
            case "EVALSHA", (PUSH.sha, 2, key, _, value, _):
                return self._answer("LPUSH", key, value)
            case "EVALSHA", (_, count, *rest):
                assert isinstance(count, int)
                self.scripts.append(tuple(rest))
                return []
        return ValueError(f"this server does not know {name!r} {arguments!r}")
