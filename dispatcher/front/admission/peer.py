"""Ids and token of a device, from headers or the query of its request; checked before the upgrade."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from dispatcher.front.admission.client_address import ClientAddress
from dispatcher.front.admission.tokens import Tokens
from dispatcher.messages import canonical_device_id

FOREIGN_PAGE: Final = (
    "{} is not an address of this front, so that the request does not count as one from this host; "
    "FRONT_PUBLIC_URL names another address of it"
)
_ANONYMOUS: Final = "anonymous-"
_BEARER: Final = re.compile(r"\s*bearer(?:[\s:]+|$)", re.ASCII | re.IGNORECASE)
_ID: Final = re.compile(r"[\w.:@+-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A device as its upgrade request names it.

    Attributes:
        device_id: the MAC in lower case with colons, or what a client calls itself; made up where none came.
    """

    device_id: str
    client_id: str

    @property
    def signed_device(self) -> str:
        """The device as its token names it; of one without an id every connection has another made-up one."""
        return "" if self.anonymous else self.device_id

    @property
    def anonymous(self) -> bool:
        """Whether the id was made up here."""
        return self.device_id.startswith(_ANONYMOUS)


def read_peer(request: web.Request) -> Peer:
    """Return the device that a request names.

    Raises:
        aiohttp.web.HTTPBadRequest: an id has a form that no device uses.
    """
    device_id = _id(request, "Device-Id", canonical_device_id) or _made_up_id()
    return Peer(device_id=device_id, client_id=_id(request, "Client-Id"))


def anonymous_peer() -> Peer:
    """Return a peer that named no id."""
    return Peer(device_id=_made_up_id(), client_id="")


def _made_up_id() -> str:
    return f"{_ANONYMOUS}{uuid.uuid4()}"


def check_token(request: web.Request, peer: Peer, tokens: Tokens | None, address: ClientAddress) -> None:
    """Require a valid token of every peer but this host; foreign pages in its browsers need one as well.

    Args:
        request: the upgrade request.
        peer: the ids that it names.
        tokens: None where tokens are switched off.
        address: where the request comes from.

    Raises:
        aiohttp.web.HTTPUnauthorized: the token is missing, foreign or too old.
    """
    if tokens is None or address.is_local:
        return
    presented = request.headers.get("Authorization") or _query(request, "authorization")
    token = _BEARER.sub("", presented, count=1).strip()
    if not tokens.valid(token, client_id=peer.client_id, device_id=peer.signed_device, now_s=time.time()):
        hint = f"; {FOREIGN_PAGE.format(address.foreign)}" if address.foreign else ""
        raise web.HTTPUnauthorized(
            text=f"token missing, invalid or older than 30 days; ask /xiaozhi/ota/ for one{hint}"
        )


def read_device_id(text: str) -> str:
    """Return a device id in its one form, or nothing where the text is none."""
    device_id = canonical_device_id(text)
    return device_id if _ID.fullmatch(device_id) else ""


def _query(request: web.Request, name: str) -> str:
    """Return a parameter of the query; its name may be in any case, with dashes or underscores."""
    wanted = name.replace("-", "_")
    found = (value for key, value in request.query.items() if key.lower().replace("-", "_") == wanted)
    return next(found, "")


def _id(request: web.Request, name: str, form: Callable[[str], str] = str.strip) -> str:
    value = form(request.headers.get(name) or _query(request, name.lower()))
    if value and not _ID.fullmatch(value):
        raise web.HTTPBadRequest(
            text=f"{name}: was {value!r:.80}; expected up to 64 letters, digits or .:_@+-"
        )
    return value
