"""OTA endpoint `/xiaozhi/ota/`: the address at which a device connects. Always answered with 200."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from dispatcher.bounded_json import read_json
from dispatcher.devices.registry import DeviceDetails
from dispatcher.dialogue.persona import character
from dispatcher.front.admission.client_address import client_address_of
from dispatcher.front.admission.peer import (
    FOREIGN_PAGE,
    Peer,
    anonymous_peer,
    read_device_id,
    read_peer,
)
from dispatcher.front.connection.front_context import CONTEXT
from dispatcher.front.http.activation import ACTIVATE_PATH, answer_activation, register
from dispatcher.messages import OTA_PATH, WEBSOCKET_PATH

_VERSION: Final = re.compile(r"\d+(\.\d+)*", re.ASCII)
_HOST: Final = re.compile(r"[\w.:\[\]-]{1,255}", re.ASCII)
_AGENT: Final = re.compile(r"([\w.-]{1,64})/(\d+(?:\.\d+)*)", re.ASCII)
_ODD: Final = re.compile(r"[^\w .:/+-]")
MAX_BODY_BYTES: Final = 64 * 1024
BODY_TIMEOUT_S: Final = 5.0


def add_ota(app: web.Application) -> None:
    """Register the address with and without its last slash: people type both."""
    for path in (OTA_PATH, OTA_PATH.rstrip("/")):
        app.router.add_post(path, answer_device)
        app.router.add_get(path, answer_person)
    app.router.add_post(ACTIVATE_PATH, answer_activation)


async def answer_device(request: web.Request) -> web.Response:
    """Answer a device with its WebSocket address and token; the body may be broken, headers suffice.

    Raises:
        aiohttp.web.HTTPForbidden: a page of another site asks, in a browser on this host.
    """
    _refuse_foreign_page(request)
    posted = await _posted(request)
    peer = _peer(request, posted)
    version = _plain_version(_inside(posted, "application", "version"))
    now_s = time.time()
    return web.json_response(
        {
            "server_time": {
                "timestamp": int(now_s * 1000),
                "timezone_offset": _offset_minutes(request, peer),
            },
            "firmware": {"version": version, "url": ""},
            "websocket": {"url": websocket_url(request), "token": _token(request, peer, now_s)},
            **await register(request.app[CONTEXT], peer, _details(request, posted)),
        }
    )


def _offset_minutes(request: web.Request, peer: Peer) -> int:
    """Return how far the device's clock is ahead of UTC, by its zone in the YAML, else by the host's."""
    zone = character(request.app[CONTEXT].catalogue.conversation, peer.device_id).timezone
    now = datetime.now(ZoneInfo(zone)) if zone else datetime.now().astimezone()
    return int((now.utcoffset() or timedelta()).total_seconds()) // 60


async def answer_person(request: web.Request) -> web.Response:
    """Answer a browser with something that a person can read."""
    address = websocket_url(request)
    text = f"xiaozhi dispatcher: this is the OTA address of a device.\nDevices are sent to {address}\n"
    return web.Response(text=text)


def _refuse_foreign_page(request: web.Request) -> None:
    """Give no token to a page of somebody else; a device sends no Origin, whatever it takes for our name."""
    settings = request.app[CONTEXT].settings
    origin = client_address_of(request, settings.trusted_proxies, public_url=settings.front_public_url)
    if origin.foreign and "Origin" in request.headers:
        raise web.HTTPForbidden(text=FOREIGN_PAGE.format(origin.foreign))


def _peer(request: web.Request, posted: Any) -> Peer:
    """Return who asks, by headers or query, else by the MAC address in the body.

    An id that no device uses is as good as none, since the answer is always 200. The `uuid` of the body does
    not count as a Client-Id: clients that leave the header out at OTA show another one on their socket.
    """
    try:
        peer = read_peer(request)
    except web.HTTPBadRequest:
        peer = anonymous_peer()
    if not peer.anonymous:
        return peer
    said = (*(_text(posted, name) for name in ("mac_address", "mac")), _inside(posted, "board", "mac"))
    device_id = next(filter(None, map(read_device_id, said)), "")
    return replace(peer, device_id=device_id) if device_id else peer


def websocket_url(request: web.Request) -> str:
    """Return the address that devices are posted: the configured one, or this host as it was asked."""
    settings = request.app[CONTEXT].settings
    public = settings.front_public_url.rstrip("/")
    if public:
        return re.sub(r"^http", "ws", public) + WEBSOCKET_PATH
    host = request.host if _HOST.fullmatch(request.host) else f"localhost:{settings.front_port}"
    scheme = "wss" if client_address_of(request, settings.trusted_proxies).is_secure else "ws"
    return f"{scheme}://{host}{WEBSOCKET_PATH}"


def _token(request: web.Request, peer: Peer, now_s: float) -> str:
    """Return a token; empty where tokens are switched off, but always present."""
    tokens = request.app[CONTEXT].status.tokens
    if tokens is None:
        return ""
    return tokens.issue(client_id=peer.client_id, device_id=peer.signed_device, now_s=now_s)


async def _posted(request: web.Request) -> Any:
    """Return what the device posts; some boards post malformed JSON, which is as good as nothing."""
    try:
        return read_json(await _body(request))
    except ValueError:
        return None


def _details(request: web.Request, posted: Any) -> DeviceDetails:
    """Return what the device tells of itself: in the body, else by a User-Agent such as "wifi/2.0.3"."""
    agent = _AGENT.fullmatch(request.headers.get("User-Agent", ""))
    board, version = agent.groups() if agent else ("", "")
    return DeviceDetails(
        board=_word(_inside(posted, "board", "type") or board),
        firmware=_word(_inside(posted, "application", "version") or version),
        accept_language=request.headers.get("Accept-Language", "")[:200],
    )


def _inside(posted: Any, section: str, name: str) -> str:
    return _text(posted.get(section) if isinstance(posted, dict) else None, name)


def _text(found: Any, name: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    return str(value) if isinstance(value, (str, int, float)) else ""


def _word(text: str) -> str:
    """Return the beginning of a text, without signs that would disturb a table or a log."""
    return _ODD.sub("", text)[:64]


def _plain_version(version: str) -> str:
    """Return the version that the device reports of itself, so that it sees no update."""
    found = _VERSION.match(version)
    return found.group() if found else "1.0.0"


async def _body(request: web.Request) -> bytes:
    """Return the body, which may come in several segments; no more of it than a device ever sends."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.content.readexactly(MAX_BODY_BYTES)
    except asyncio.IncompleteReadError as end:
        return end.partial
    except TimeoutError:
        return b""
