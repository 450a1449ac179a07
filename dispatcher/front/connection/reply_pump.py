"""Replies of the stages on their way from the front's stream in Redis to the turns under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from redis.exceptions import RedisError

from dispatcher.backoff import BackOff
from dispatcher.errors import StateError, in_words
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.turn_store.replies import ReplyReader

log = structlog.get_logger(__name__)

TRIM_INTERVAL_S: Final = 5.0
# Devices hold 300 ms of speech. A read for each wake-up was a quarter of the front's CPU.
READ_PAUSE_S: Final = 0.01


class ReplyPump:
    """Loop that routes every reply to its turn, over any number of connections to Redis."""

    def __init__(
        self, context: FrontContext, stream: ReplyReader, *, on_connected: Callable[[], Awaitable[None]]
    ) -> None:
        """Read nothing yet; `on_connected` is awaited on each new connection, since the Redis may be new."""
        self._context = context
        self._stream = stream
        self._on_connected = on_connected

    async def run(self) -> None:
        """Route replies until cancelled; a lost connection is opened again."""
        pauses = BackOff()
        while True:
            try:
                await self._stream.open()
                self._context.status.replies_flow = True
                pauses.reset()
                await self._on_connected()
                while True:
                    await self._route_batch()
            except (RedisError, OSError, StateError) as error:
                self._context.status.replies_flow = False
                if not pauses.tries:
                    log.warning("replies interrupted", reason=in_words(error))
                await asyncio.sleep(pauses.next_s())

    async def _route_batch(self) -> None:
        """Route what came; unless it begins a sentence, wait a moment, so that more comes with one read."""
        replies = await self._stream.read()
        for reply in replies:
            self._context.turns.route(reply)
        # The first reply of a sentence tells times. The packets after it are wanted just as soon.
        if replies and not any(reply.timings for reply in replies):
            await asyncio.sleep(READ_PAUSE_S)

    async def trim(self) -> None:
        """Keep the stream short and alive until cancelled."""
        while True:
            kept_s = self._context.status.overrides.reply_kept_s or TRIM_INTERVAL_S
            await asyncio.sleep(min(TRIM_INTERVAL_S, kept_s))
            with suppress(StateError):  # `run` logs that Redis is unreachable
                await self._stream.trim(self._context.redis)
