"""Profile of a connected device: its entry in the registry, and the persona that it is spoken to as."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Final

import structlog

from dispatcher.devices import registry
from dispatcher.devices.registry import Registered
from dispatcher.dialogue.language import resolve_language
from dispatcher.dialogue.persona import Character, character
from dispatcher.errors import StateError
from dispatcher.front.admission.peer import Peer
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.messages import Language, TurnTicket

log = structlog.get_logger(__name__)

REGISTRY_TIMEOUT_S: Final = 1.0
UNADMITTED: Final = b"waits to be admitted"


class DeviceProfile:
    """Profile that is read from the registry once, and again after a change.

    Attributes:
        peer: the device as its request named it.
    """

    def __init__(self, context: FrontContext, peer: Peer) -> None:
        """Read nothing yet."""
        self.peer = peer
        self._context = context
        self._known: Registered | None = None

    async def registered(self) -> Registered:
        """Return the entry of the device; an empty one while Redis is unreachable, and read again then."""
        if self._known is None and not self.peer.anonymous:
            try:
                async with asyncio.timeout(REGISTRY_TIMEOUT_S):
                    self._known = await registry.read(self._context.redis, self.peer.device_id)
            except (StateError, TimeoutError):
                pass
        return self._known or Registered(device_id=self.peer.device_id)

    def invalidate(self) -> None:
        """Read the registry again with the next turn: an operator changed something."""
        self._known = None

    async def bind(self) -> None:
        """Bind the device to this client unless it is bound already, for all fronts in one step."""
        if self._known is None:  # anonymous, or Redis is unreachable: then it is bound at its hello
            return
        try:
            async with asyncio.timeout(REGISTRY_TIMEOUT_S):
                await self._bind(greeted=False)
        except (StateError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            log.warning("client not bound", device=self.peer.device_id, reason=reason)

    def mark_connected(self) -> None:
        """Write to the registry that the device is connected."""
        if not self.peer.anonymous:
            self._context.spawn(self._bind(greeted=True))

    @property
    def is_unadmitted(self) -> bool:
        """Whether the device is bound to another client, so that this one has to be admitted first."""
        return self._known is not None and self._known.is_other_client(self.peer.client_id)

    def refusal(self, known: Registered) -> bytes:
        """Return why the device may take no turn, or nothing."""
        if known.blocked:
            return b"blocked"
        return UNADMITTED if known.is_other_client(self.peer.client_id) else b""

    async def persona(self) -> Character:
        """Return who the assistant is to the device, by the active YAML."""
        chosen = (await self.registered()).persona
        return character(self._context.catalogue.conversation, self.peer.device_id, chosen=chosen)

    async def language(self) -> Language:
        """Return the device's language: set by an operator, by the YAML, sent to OTA, or the default."""
        known = await self.registered()
        return resolve_language(
            device=known.language or (await self.persona()).language,
            accept_language=known.accept_language,
            default=self._context.catalogue.conversation.default_language,
        )

    async def new_ticket(self, audio: AudioParams, *, timeout_s: float, text: str = "") -> TurnTicket:
        """Return the ticket of a turn of the device that begins now; `text` is what was typed."""
        turn_id, tracer = uuid.uuid4().hex, self._context.tracer
        return TurnTicket(
            turn_id=turn_id,
            attempt=1,
            device_id=self.peer.device_id,
            reply_stream=self._context.reply_stream,
            deadline_at_s=time.time() + timeout_s,
            language=await self.language(),
            audio_format=audio.format,
            uplink_rate_hz=audio.sample_rate,
            text=text,
            persona=(await self.registered()).persona,
            traceparent=tracer.traceparent(turn_id) if tracer else "",
        )

    async def _bind(self, *, greeted: bool) -> None:
        redis, peer = self._context.redis, self.peer
        self._known = await registry.bind(redis, peer.device_id, peer.client_id, greeted=greeted)
