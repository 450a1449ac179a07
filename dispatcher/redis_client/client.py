"""One pipelined connection to Redis for an event loop.

Commands that are issued while a batch is under way travel together in the next one: a busy process
pays one round trip and one system call for many commands (measured: 2 to 4 ms of CPU less per turn
than a pooled connection per command). They are packed by hiredis as they are issued: redis-py's asyncio
client packs in Python, which took a sixth of a TTS worker.

A Redis that restarts is waited for, where the client has a reconnect timeout: what was not sent yet is sent
when it is back, in the same order. What was sent and not answered may have been carried out, so it is sent
again only where twice is the same as once; the others fail (docs/adr/0021-a-restart-costs-no-turn.md).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoScriptError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from dispatcher.backoff import BackOff
from dispatcher.errors import StateError, in_words
from dispatcher.redis_client.commands import Pending
from dispatcher.redis_client.connection import SOCKET_TIMEOUT_S
from dispatcher.redis_client.connection import connect as connect  # noqa: PLC0414  both come together
from dispatcher.redis_client.lua_script import NamedValues, Script, Value
from dispatcher.redis_client.pipelined_connection import PipelinedConnection
from dispatcher.settings import Settings

log = structlog.get_logger(__name__)

MAX_PENDING = 20_000
MAX_BATCH = 500
# A restart takes a second or two. A caller that waits for longer is better failed; a stage has ten seconds.
REDIS_RECONNECT_TIMEOUT_S = 3.0
_NO_NAMES: NamedValues = {}
_UNREACHABLE = (RedisConnectionError, RedisTimeoutError, OSError)


class RedisClient:
    """Commands to one Redis, batched by the event loop's own rhythm.

    More than twelve methods: sending, waiting and reconnecting share one list of pending commands.
    """

    def __init__(self, client: Redis, *, reconnect_timeout_s: float = 0.0) -> None:
        """Use the client; the caller closes it through `close`.

        Args:
            client: it is used for nothing else.
            reconnect_timeout_s: how long an unreachable Redis is waited for, from the first failure. After
                that every command fails at once, until it is reachable again.
        """
        # What may be sent again is decided here, and not by redis-py, which would repeat anything.
        client.set_retry(Retry(NoBackoff(), 0))
        # One bound for a whole batch, where redis-py would set one for the write and one for each answer.
        options = client.connection_pool.connection_kwargs
        self._bound_s = options.pop("socket_timeout", None) or SOCKET_TIMEOUT_S
        self._client = client
        self._connection = PipelinedConnection(client)
        self._on_connect: tuple[Pending, ...] = ()
        self._reconnect_timeout_s = reconnect_timeout_s
        self._unreachable_since_s: float | None = None
        self._pending: list[Pending] = []
        self._flusher: asyncio.Task[None] | None = None

    @property
    def reconnect_timeout_s(self) -> float:
        """How long an unreachable Redis is waited for."""
        return self._reconnect_timeout_s

    def on_connect_commands(self, *commands: Sequence[Value]) -> None:
        """Send these first on every connection from now on, so that all that follows finds what they make."""
        self._on_connect = tuple(Pending.of(command, None) for command in commands)

    async def execute(self, *command: Value) -> Any:
        """Return the answer to one command.

        Raises:
            StateError: Redis is out of reach, refused the command, or too much is pending.
        """
        return await self.submit(command)

    def send_nowait(self, *command: Value, repeatable: bool = False) -> None:
        """Send a command whose answer nobody needs; a failure is logged by the batch.

        Args:
            command: its name and arguments.
            repeatable: it may be carried out twice, whatever its name.
        """
        self._append(Pending.of(command, None, repeatable=repeatable or None))

    def submit(self, command: Sequence[Value], *, repeatable: bool | None = None) -> asyncio.Future[Any]:
        """Queue a command at once and return the future of its answer; order is kept.

        Args:
            command: its name and arguments.
            repeatable: whether it may be carried out twice; by its name where that is left out.

        Raises:
            StateError: too much is pending, or the command holds what Redis cannot be told.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._append(Pending.of(command, answer, repeatable=repeatable))
        return answer

    async def run(
        self,
        script: Script,
        *,
        keys: NamedValues = _NO_NAMES,
        arguments: NamedValues = _NO_NAMES,
        rest_keys: Sequence[Value] = (),
        rest: Sequence[Value] = (),
    ) -> Any:
        """Return the answer of a script; it is sent in full only where the server lacks it.

        Args:
            script: what to run.
            keys: by name; those that it does not use are left out.
            arguments: likewise.
            rest_keys: keys after those with a name, where it takes any number.
            rest: likewise of arguments.

        Raises:
            StateError: as `submit`, and the script's own error.
            ValueError: a name that it uses is missing.
        """
        operands = script.operands(keys, arguments, rest_keys, rest)
        try:
            return await self.submit(("EVALSHA", script.sha, *operands), repeatable=script.repeatable)
        except StateError as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return await self.submit(("EVAL", script.source, *operands), repeatable=script.repeatable)

    async def close(self) -> None:
        """Send what is pending, then close the connection."""
        if self._flusher is not None:
            await asyncio.wait([self._flusher], timeout=SOCKET_TIMEOUT_S)
        await self._client.aclose()

    def _append(self, pending: Pending) -> None:
        if len(self._pending) >= MAX_PENDING:
            raise StateError(f"{MAX_PENDING} commands are waiting for Redis; it does not keep up")
        self._pending.append(pending)
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        """Send what is pending until nothing is; what cannot be sent in time fails."""
        pauses = BackOff()
        while self._pending:
            asked_at_s = time.monotonic()
            try:
                await self._send_batch()
            except (RedisError, OSError, TimeoutError) as error:
                if self._waits_after(error, asked_at_s):
                    if not pauses.tries:
                        log.warning("redis unreachable, waiting for it", reason=in_words(error))
                    await asyncio.sleep(pauses.next_s())
                else:
                    self._settle_all(error)
            else:
                self._unreachable_since_s = None
                pauses.reset()

    async def _send_batch(self) -> None:
        """Send the oldest commands and settle them; those that may be sent again stay pending if that fails.

        Raises:
            RedisError, OSError, TimeoutError: there is no connection, or it was lost.
        """
        if not self._connection.is_open:
            async with asyncio.timeout(self._bound_s):
                await self._connect()
        # From here on nobody knows what of the batch was carried out, should the connection break.
        batch, self._pending = deque(self._pending[:MAX_BATCH]), self._pending[MAX_BATCH:]
        try:
            await self._exchange(batch)
        except _UNREACHABLE as error:
            is_refused = isinstance(error, BusyLoadingError)  # it reads its file and carries out nothing
            again = [pending for pending in batch if is_refused or pending.repeatable]
            _settle_each((pending for pending in batch if pending not in again), error)
            self._pending[:0] = again
            raise
        except RedisError as error:  # what came is no answer; the connection was closed for that
            _settle_each(batch, error)

    async def _connect(self) -> None:
        """Make the connection anew, and send what comes first on it."""
        await self._connection.open()
        try:
            await self._exchange(deque(self._on_connect))
        except BaseException:  # what comes first has to come before all else
            self._connection.close()
            raise

    async def _exchange(self, batch: deque[Pending]) -> None:
        """Send commands and settle them as their answers come; those that are left have none."""
        if batch:
            names = [pending.name for pending in batch]
            packed = b"".join(pending.packed for pending in batch)
            await self._connection.exchange(
                names, packed, lambda answer: batch.popleft().settle(answer), timeout_s=self._bound_s
            )

    def _waits_after(self, error: Exception, asked_at_s: float) -> bool:
        """Return whether what is pending may still be sent in time."""
        if isinstance(error, AuthenticationError | AuthorizationError) or not isinstance(error, _UNREACHABLE):
            return False
        if self._unreachable_since_s is None:
            self._unreachable_since_s = asked_at_s
        return time.monotonic() - self._unreachable_since_s < self._reconnect_timeout_s

    def _settle_all(self, error: Exception) -> None:
        """Let everything that is pending fail."""
        given_up, self._pending = self._pending, []
        _settle_each(given_up, error)


def cache_client(settings: Settings, redis: RedisClient) -> RedisClient:
    """Return the client of the cache: one of its own where CACHE_URL names another server, else the given."""
    if settings.cache == settings.redis_url:
        return redis
    return RedisClient(connect(settings.cache), reconnect_timeout_s=redis.reconnect_timeout_s)


def _settle_each(given_up: Iterable[Pending], error: Exception) -> None:
    for pending in given_up:
        pending.settle(error)
