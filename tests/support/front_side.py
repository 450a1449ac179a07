"""What a front does with the queues and its reply stream, without devices: for tests of the workers."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final

from dispatcher import chains
from dispatcher.audio.packets import pack
from dispatcher.device_simulator import DeviceOptions, packets_of
from dispatcher.messages import Reply, ReplyKind, TurnTicket
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.turn_store import utterance_audio
from dispatcher.turn_store.replies import ReplyReader
from tests.support.broker import Broker
from tests.support.device import SPEECH
from tests.support.waiting import WAIT_TIMEOUT_S

LONG_S: Final = 60.0


class FrontSide:
    """Starts turns and reads what the workers answer."""

    def __init__(self, redis: RedisClient, reader: ReplyReader, stream: str) -> None:
        """Use an open stream."""
        self.redis = redis
        self.replies: list[Reply] = []
        self._reader = reader
        self._stream = stream

    @classmethod
    @asynccontextmanager
    async def opened(cls, broker: Broker) -> AsyncGenerator[FrontSide]:
        """Open a stream on the broker."""
        stream = keys.reply_stream("front-of-a-test")
        redis = RedisClient(connect(broker.url))
        reader = ReplyReader(connect(broker.url, socket_timeout_s=None), stream)
        await reader.open()
        yield cls(redis, reader, stream)
        await reader.close()
        await redis.close()

    def ticket(self, *, text: str = "", time_left_s: float = LONG_S) -> TurnTicket:
        """Return the ticket of a new turn."""
        return TurnTicket(
            turn_id=uuid.uuid4().hex,
            attempt=1,
            device_id="a-device",
            reply_stream=self._stream,
            deadline_at_s=time.time() + time_left_s,
            text=text,
        )

    async def says(self) -> TurnTicket:
        """Start a spoken turn."""
        ticket = self.ticket()
        utterance_audio.put(self.redis, ticket.turn_id, pack(packets_of(SPEECH, DeviceOptions())))
        await self.starts(ticket)
        return ticket

    async def types(self, text: str = "hello", *, time_left_s: float = LONG_S) -> TurnTicket:
        """Start a typed turn."""
        ticket = self.ticket(text=text, time_left_s=time_left_s)
        await self.starts(ticket)
        return ticket

    async def starts(self, ticket: TurnTicket) -> None:
        """Send a turn on its way."""
        await chains.start_turn(self.redis, ticket)

    async def open_again(self) -> None:
        """Make the stream anew on a broker that came back empty."""
        await self._reader.open()

    def of(self, ticket: TurnTicket) -> list[Reply]:
        """Return all replies to a turn that were read so far."""
        return [reply for reply in self.replies if reply.turn_id == ticket.turn_id]

    async def reads(self, ticket: TurnTicket, *kinds: ReplyKind, within_s: float = WAIT_TIMEOUT_S) -> None:
        """Read until the turn has a reply of one of the kinds."""
        await self._reads_until(lambda: any(reply.kind in kinds for reply in self.of(ticket)), within_s)

    async def reads_last_audio(self, ticket: TurnTicket, *, sentences: int) -> None:
        """Read until so many sentences are spoken to their ends."""
        await self._reads_until(
            lambda: sum(reply.last for reply in self.of(ticket)) == sentences, WAIT_TIMEOUT_S
        )

    async def _reads_until(self, condition: Callable[[], bool], within_s: float) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self.replies += await self._reader.read()
