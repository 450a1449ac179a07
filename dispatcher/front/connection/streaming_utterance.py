"""Utterance that is streamed to the ASR queue while it is spoken, where some instance transcribes streams.

It opens when the user begins: with the first sound while a button is held, else with the speech that was
found in an open microphone, so that silence holds no slot. A turn takes it over at its end. What goes wrong
before that costs no more than the head start: the turn then goes by a claim, like any other.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import structlog

from dispatcher import chains
from dispatcher.audio import packets
from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import StateError
from dispatcher.front.connection.device_profile import DeviceProfile
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.microphone import Microphone
from dispatcher.messages import Reply, TurnTicket
from dispatcher.turn_store import utterance_stream

log = structlog.get_logger(__name__)

# Sound in one entry of the stream: enough that fifty speakers cost little, little enough for a head start.
ENTRY_MS: Final = 120.0


class StreamingUtterance:
    """One utterance that is being spoken.

    Attributes:
        ticket: what its ASR task was sent with.
        opened_at_s: Unix time of its beginning.
        failed: no task reads it any more; it has to be sent another way.
    """

    def __init__(self, context: FrontContext, ticket: TurnTicket) -> None:
        """Open it: the first packets follow at once, the task after them."""
        self.ticket = ticket
        self.opened_at_s = time.time()
        self.failed = False
        self._context = context
        context.turns.utterances[ticket.turn_id] = self

    def start(self) -> None:
        """Send the task that transcribes what was added by now and will be."""
        self._context.spawn(self._send_task())

    def add(self, fresh: list[bytes]) -> None:
        """Stream what was said since the last time."""
        if not self.failed:
            try:
                utterance_stream.append(self._context.cache_redis, self.ticket.turn_id, packets.pack(fresh))
            except StateError as error:
                self._fail(str(error))

    def release(self) -> None:
        """Leave the worker's replies to the turn that takes over."""
        self._context.turns.utterances.pop(self.ticket.turn_id, None)

    def finish(self, ticket: TurnTicket) -> None:
        """Write that the utterance is over, and with which ticket its turn goes on.

        Raises:
            StateError: too many commands wait for Redis already.
        """
        utterance_stream.end(self._context.cache_redis, ticket)

    def discard(self) -> None:
        """Drop it, here and at the worker that reads it."""
        self.release()
        self._context.cancel_tasks(self.ticket.turn_id)

    def on_reply(self, reply: Reply) -> None:
        """Take in that the worker gave up; before the end of speech it has nothing else to report."""
        if reply.kind in ("failed", "lost"):
            self._fail("its worker is gone" if reply.kind == "lost" else reply.text)

    async def _send_task(self) -> None:
        sending = chains.start_turn(self._context.redis, self.ticket)
        if refusal := await self._context.send_task(sending):
            self._fail(refusal)

    def _fail(self, reason: str) -> None:
        self.failed = True
        log.warning("utterance not heard live", turn=self.ticket.turn_id, reason=reason)


class StreamingUtterances:
    """Streaming utterances of one connection, one at a time."""

    def __init__(self, context: FrontContext, profile: DeviceProfile) -> None:
        """Open nothing yet."""
        self._context = context
        self._profile = profile
        self._open: StreamingUtterance | None = None
        self._catalogue: Catalogue | None = None
        self._can_stream = False

    @property
    def is_open(self) -> bool:
        """Whether an utterance is streamed."""
        return self._open is not None

    async def stream(self, microphone: Microphone) -> None:
        """Stream what the utterance under way has grown by; the first time, open it."""
        if self._open is None:
            self._follow_catalogue()
            if not self._can_stream:
                return
        fresh = microphone.take_unsent(at_least_ms=ENTRY_MS)
        if not fresh:
            return
        if self._open is None:
            rules = self._context.catalogue.conversation
            # The end of speech brings the real deadline; until then nobody may speak for longer.
            timeout_s = rules.max_utterance_s + rules.turn_timeout_s
            ticket = await self._profile.new_ticket(microphone.params, timeout_s=timeout_s)
            self._open = StreamingUtterance(self._context, replace(ticket, live=True))
            self._open.add(fresh)
            self._open.start()
        else:
            self._open.add(fresh)

    def take(self, microphone: Microphone) -> StreamingUtterance | None:
        """Hand over the utterance under way with all that was recorded of it, where a task reads it."""
        taken, self._open = self._open, None
        if taken is None:
            return None
        taken.add(microphone.take_unsent(at_least_ms=0))
        if taken.failed:
            taken.discard()
            return None
        taken.release()
        return taken

    def discard(self) -> None:
        """Drop the utterance under way, if there is one."""
        if self._open is not None:
            self._open.discard()
            self._open = None

    def _follow_catalogue(self) -> None:
        """Look up whether some instance transcribes streams, once for each catalogue."""
        if self._catalogue is not self._context.catalogue:
            self._catalogue = self._context.catalogue
            asr = self._catalogue.services.get("asr")
            self._can_stream = asr is not None and asr.has_streaming_asr
