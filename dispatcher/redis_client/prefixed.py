"""Key-prefixed client: commands and scripts on keys of their own in the same Redis, deleted afterwards."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis

from dispatcher.messages import SERVICES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.redis_client.lua_script import Value

SCRATCH_TTL_S: Final = 60
_SCRIPT_COMMANDS: Final = frozenset({"EVALSHA", "EVAL"})
# What scripts are told to make keys of, and the channels on which they speak to live processes.
_BEGINNINGS: Final = frozenset(
    {
        *(make(service, "") for service in SERVICES for make in (keys.instance, keys.leases)),
        *(keys.FREED_CHANNEL, keys.CANCEL_CHANNEL, keys.RELOADED_CHANNEL),
    }
)


class PrefixedClient(RedisClient):
    """A client whose commands reach no live key or channel, whoever sends them.

    Every key gets a prefix on its way out: that of a plain command is its second word, those of a script
    are its KEYS, and how keys begin, or a channel's name, stands among its arguments.
    """

    def __init__(self, client: Redis, run_id: str) -> None:
        """Use the client; `run_id` tells its keys from those of other runs."""
        super().__init__(client)
        self._prefix = keys.scratch(run_id)
        self._used: set[str] = set()

    def uses(self, *names: str) -> None:
        """Note keys that only scripts make, from a beginning and a name, so that they are discarded too."""
        for name in names:
            self._own(name)

    def keep(self) -> None:
        """Keep the keys for another minute; after a kill they expire."""
        for key in sorted(self._used):
            super().send_nowait("EXPIRE", key, SCRATCH_TTL_S)

    async def discard(self) -> None:
        """Delete every key that was used."""
        if self._used:
            await super().submit(("UNLINK", *sorted(self._used)))

    def send_nowait(self, *command: Value, repeatable: bool = False) -> None:
        """Send a command whose answer nobody needs, on a key of its own."""
        super().send_nowait(*self._moved(command), repeatable=repeatable)

    def submit(self, command: Sequence[Value], *, repeatable: bool | None = None) -> asyncio.Future[Any]:
        """Queue a command on keys of its own and return the future of its answer."""
        return super().submit(self._moved(command), repeatable=repeatable)

    def _moved(self, command: Sequence[Value]) -> tuple[Value, ...]:
        if command[0] not in _SCRIPT_COMMANDS:
            return (command[0], self._own(command[1]), *command[2:])
        after = 3 + int(command[2])
        names = [self._own(key) for key in command[3:after]]
        arguments = [f"{self._prefix}{word}" if word in _BEGINNINGS else word for word in command[after:]]
        return (*command[:3], *names, *arguments)

    def _own(self, key: Value) -> str:
        moved = self._prefix + (key.decode() if isinstance(key, bytes) else str(key))
        self._used.add(moved)
        return moved


@asynccontextmanager
async def prefixed_client(redis_url: str) -> AsyncGenerator[PrefixedClient]:
    """Yield a client on a connection of its own; its keys are deleted whatever happens.

    Raises:
        StateError: Redis is out of reach.
    """
    client = PrefixedClient(connect(redis_url), uuid.uuid4().hex)
    try:
        yield client
    finally:
        try:
            await client.discard()
        finally:
            await client.close()
