"""An utterance on its way to the ASR queue while it is spoken, where some instance hears live.

It opens when the user begins: with the first sound while a button is held, else with the speech that was
found in an open microphone, so that silence holds no slot. A turn takes it over at its end. What goes wrong
before that costs no more than the head start: the turn then goes by a claim, like any other.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from dispatcher import chains
from dispatcher.audio import packets
from dispatcher.errors import StateError
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.microphone import Microphone
from dispatcher.messages import Language, Reply, TurnTicket
from dispatcher.redis_client import keys
from dispatcher.turn_store import utterance_audio, utterance_stream

log = structlog.get_logger(__name__)

# Sound in one entry of the stream: enough that fifty speakers cost little, little enough to be live.
ENTRY_MS: Final = 120.0


class StreamingUtterance:
    """One utterance that is being spoken.

    Attributes:
        ticket: what the task that hears it was sent with.
        failed: nobody hears it any more; it has to be sent another way.
    """

    def __init__(self, context: FrontContext, ticket: TurnTicket) -> None:
        """Open it: the first packets follow at once, the task after them."""
        self.ticket = ticket
        self.failed = False
        self._context = context
        context.uplinks[ticket.turn_id] = self

    def start(self) -> None:
        """Send the task that hears what was added by now and will be."""
        self._context.spawn(self._send())

    def add(self, more: list[bytes]) -> None:
        """Send on what was said since the last time."""
        if not self.failed:
            try:
                utterance_stream.append(self._context.cache, self.ticket.turn_id, packets.pack(more))
            except StateError as error:
                self._fail(str(error))

    def release(self) -> None:
        """Leave what the worker says to the turn that takes over."""
        self._context.uplinks.pop(self.ticket.turn_id, None)

    def finish(self, ticket: TurnTicket) -> None:
        """Say that the utterance is over, and with which ticket its turn goes on.

        Raises:
            StateError: too many commands wait for Redis already.
        """
        utterance_stream.end(self._context.cache, ticket)

    def discard(self) -> None:
        """Forget it, here and at the worker that hears it."""
        self.release()
        try:
            utterance_audio.cancel(self._context.redis, self.ticket.turn_id)
            self._context.cache.send_nowait("UNLINK", keys.utterance(self.ticket.turn_id))
        except StateError as error:  # its keys expire by themselves
            log.warning("utterance not taken back", turn=self.ticket.turn_id, reason=str(error))

    def on_reply(self, reply: Reply) -> None:
        """Take in that the worker gave up; before the end of speech it has nothing else to say."""
        if reply.kind in ("failed", "lost"):
            self._fail("its worker is gone" if reply.kind == "lost" else reply.text)

    async def _send(self) -> None:
        try:
            length = await chains.start_turn(self._context.redis, self.ticket)
        except StateError as error:
            self._fail(str(error))
            return
        if length > self._context.settings.queue_limit:
            self._fail(f"queue has {length} tasks")

    def _fail(self, reason: str) -> None:
        self.failed = True
        log.warning("utterance not heard live", turn=self.ticket.turn_id, reason=reason)


class StreamingUtterances:
    """The utterances of one connection, one at a time."""

    def __init__(
        self, context: FrontContext, device_id: str, language: Callable[[], Awaitable[Language]]
    ) -> None:
        """Open nothing yet; `language` tells that of the device."""
        self._context = context
        self._device_id = device_id
        self._language = language
        self._open: StreamingUtterance | None = None

    async def follow(self, microphone: Microphone) -> None:
        """Send on what an utterance that is under way has grown by; the first time, open its way."""
        if self._open is None and not self._wanted():
            return
        more = microphone.unsent(at_least_ms=ENTRY_MS)
        if not more:
            return
        if self._open is None:
            self._open = StreamingUtterance(self._context, self._ticket(microphone, await self._language()))
            self._open.add(more)
            self._open.start()
        else:
            self._open.add(more)

    def take(self, microphone: Microphone) -> StreamingUtterance | None:
        """Hand over the utterance that is under way, with all that was recorded of it, where it is heard."""
        uplink = self._open
        if uplink is None:
            return None
        uplink.add(microphone.unsent(at_least_ms=0))
        if uplink.failed:
            self.discard()
            return None
        uplink.release()
        self._open = None
        return uplink

    def discard(self) -> None:
        """Forget the utterance that is under way, if there is one."""
        if self._open is not None:
            self._open.discard()
            self._open = None

    def _wanted(self) -> bool:
        asr = self._context.catalogue.services.get("asr")
        return asr is not None and asr.has_streaming_asr

    def _ticket(self, microphone: Microphone, language: Language) -> TurnTicket:
        rules = self._context.catalogue.conversation
        return TurnTicket(
            turn_id=uuid.uuid4().hex,
            attempt=1,
            device_id=self._device_id,
            reply_stream=self._context.reply_stream,
            # The end of speech brings the real one; until then nobody may speak for longer.
            deadline_at_s=time.time() + rules.max_utterance_s + rules.turn_timeout_s,
            language=language,
            audio_format=microphone.params.format,
            uplink_rate_hz=microphone.params.sample_rate,
            live=True,
        )
