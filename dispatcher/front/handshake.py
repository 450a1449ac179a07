"""Who connects: ids and token from headers or the query, checked before the upgrade."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from dispatcher.front.auth import Tokens
from dispatcher.front.frames import VERSIONS, Version
from dispatcher.front.origin import Network, origin_of

_ANONYMOUS: Final = "anonymous-"
_ID: Final = re.compile(r"[\w.:@+-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A device as its upgrade request names it.

    Attributes:
        device_id: the MAC in lower case, or what a client calls itself; made up where none came.
        version: the framing that the header asks for.
    """

    device_id: str
    client_id: str
    version: Version

    @property
    def anonymous(self) -> bool:
        """Whether the id was made up here."""
        return self.device_id.startswith(_ANONYMOUS)


def read_peer(request: web.Request) -> Peer:
    """Return who connects.

    Raises:
        aiohttp.web.HTTPBadRequest: an id has a form that no device uses.
    """
    return Peer(
        device_id=_id(request, "Device-Id").lower() or _made_up_id(),
        client_id=_id(request, "Client-Id"),
        version=read_version(request.headers.get("Protocol-Version")),
    )


def anonymous_peer() -> Peer:
    """Return a peer that did not say who it is."""
    return Peer(device_id=_made_up_id(), client_id="", version=1)


def _made_up_id() -> str:
    return f"{_ANONYMOUS}{uuid.uuid4()}"


def read_version(said: object) -> Version:
    """Return the framing version that a header or a hello asks for; 1 where it is none of ours."""
    return next((version for version in VERSIONS if str(said).strip() == str(version)), 1)


def admit(
    request: web.Request, peer: Peer, tokens: Tokens | None, *, trusted: Sequence[Network] = ()
) -> None:
    """Let the peer pass: this host always, others with a valid token.

    Args:
        request: the upgrade request.
        peer: who it says it is.
        tokens: None where tokens are switched off.
        trusted: the proxies that may say from where a request comes.

    Raises:
        aiohttp.web.HTTPUnauthorized: the token is missing, foreign or too old.
    """
    if tokens is None or origin_of(request, trusted).local:
        return
    said = request.headers.get("Authorization") or request.query.get("authorization", "")
    token = said.removeprefix("Bearer ").strip()
    if not tokens.valid(token, client_id=peer.client_id, device_id=peer.device_id, now_s=time.time()):
        raise web.HTTPUnauthorized(
            text="token missing, invalid or older than 30 days; ask /xiaozhi/ota/ for one"
        )


def _id(request: web.Request, name: str) -> str:
    value = (request.headers.get(name) or request.query.get(name.lower(), "")).strip()
    if value and not _ID.fullmatch(value):
        raise web.HTTPBadRequest(
            text=f"{name}: was {value!r:.80}; expected up to 64 letters, digits or .:_@+-"
        )
    return value
