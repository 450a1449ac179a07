"""What a connection knows of its device: the registry's word on it, and who the assistant is to it."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp import web

from dispatcher.devices import registry
from dispatcher.devices.registry import Registered
from dispatcher.dialogue.language import resolve_language
from dispatcher.dialogue.persona import Character, character
from dispatcher.errors import StateError
from dispatcher.front.admission.client_address import client_address_of
from dispatcher.front.admission.peer import Peer
from dispatcher.front.admission.socket_limiter import AdmittedSocket
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.messages import Language

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 1.0
# RFC 6455: the endpoint closes because of its policy.
BLOCKED_CODE: Final = 1008
UNADMITTED: Final = b"waits to be admitted"


class DeviceProfile:
    """Asks the registry once for a device, and again after a change.

    Attributes:
        peer: the device as it named itself.
        seat: what its socket holds; a hello keeps it.
    """

    def __init__(self, context: FrontContext, peer: Peer) -> None:
        """Ask nothing yet."""
        self.peer = peer
        self.seat: AdmittedSocket | None = None
        self._context = context
        self._known: Registered | None = None

    async def registered(self) -> Registered:
        """Return what is known of the device; while Redis is away nothing is, and it is asked again."""
        if self._known is None and not self.peer.anonymous:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    self._known = await registry.read(self._context.redis, self.peer.device_id)
            except (StateError, TimeoutError):
                return self._unknown
        return self._known or self._unknown

    def reread(self) -> None:
        """Ask again with the next turn: an operator changed something."""
        self._known = None

    async def bind(self) -> None:
        """Bind the device to this client unless it is bound already, for all fronts in one step."""
        if self._known is None:  # anonymous, or Redis is away: then it is bound at its hello
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._known = await self._bind(greeted=False)
        except (StateError, TimeoutError) as error:
            log.warning(
                "client not bound", device=self.peer.device_id, reason=str(error) or "no answer in time"
            )

    @property
    def waits(self) -> bool:
        """Whether another client is the device, so that this one has to be admitted first."""
        return self._known is not None and self._known.is_other_client(self.peer.client_id)

    def refusal(self, known: Registered) -> bytes:
        """Return why the device is let take no turn, or nothing."""
        if known.blocked:
            return b"blocked"
        return UNADMITTED if known.is_other_client(self.peer.client_id) else b""

    def mark_connected(self) -> None:
        """Let the registry know that the device is connected."""
        self.keep_seat()
        if not self.peer.anonymous:
            self._context.spawn(self._note())

    def keep_seat(self) -> None:
        """Keep the seat: hello was said."""
        if self.seat is not None:
            self.seat.mark_greeted()

    async def character(self) -> Character:
        """Return who the assistant is to the device, by the YAML in force."""
        known = await self.registered()
        self._context.names[self.peer.device_id] = known.name
        return character(self._context.catalogue.conversation, self.peer.device_id, chosen=known.persona)

    async def language(self) -> Language:
        """Return the device's language: set by an operator, by the YAML, told by OTA, or the default."""
        known = await self.registered()
        return resolve_language(
            device=known.language or (await self.character()).language,
            accept_language=known.accept_language,
            default=self._context.catalogue.conversation.language,
        )

    @property
    def _unknown(self) -> Registered:
        return Registered(device_id=self.peer.device_id)

    async def _note(self) -> None:
        self._known = await self._bind(greeted=True)

    async def _bind(self, *, greeted: bool) -> Registered:
        return await registry.bind(
            self._context.redis, self.peer.device_id, self.peer.client_id, greeted=greeted
        )


async def admit_device(request: web.Request, context: FrontContext, peer: Peer) -> DeviceProfile:
    """Return the acquaintance of a device that may come in.

    While Redis is away nobody is known as blocked, and nobody as activated.

    Raises:
        aiohttp.web.HTTPForbidden: the device is blocked, or has to be activated first.
    """
    who = DeviceProfile(context, peer)
    known = await who.registered()
    if known.blocked:
        raise web.HTTPForbidden(text=f"{peer.device_id} is blocked; `dispatcher devices unblock` lets it in")
    # Who talks from this host needs no code, as it needs no token: the talk page, and tests of an operator.
    settings = context.settings
    is_local = client_address_of(
        request, settings.trusted_proxies, public_url=settings.front_public_url
    ).local
    if settings.activation == "on" and not known.activated and not is_local:
        raise web.HTTPForbidden(
            text=f"{peer.device_id} is not activated; "
            "it shows a code when it starts, for `dispatcher devices activate`"
        )
    await who.bind()
    return who
