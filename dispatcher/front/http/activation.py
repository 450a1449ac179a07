"""Activation, where the operator wants it: a new device shows a code, and waits until it is typed here.

As the firmware does it (78/xiaozhi-esp32, main/ota.cc and main/application.cc): it asks OTA, and as long
as the answer has an `activation` object it shows its `code`, speaks the digits, and posts to `activate` under
the OTA address up to ten times: 200 means done, 202 "not yet, again in 3 s", anything else "again in 10 s".
Then it asks OTA again. Without a `challenge` it would not post. The HMAC that it posts is made with a key in
its fuses, which only its maker knows, so it is not looked at: what counts is that the code was typed.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Any, Final

import structlog
from aiohttp import web

from dispatcher.devices import registry
from dispatcher.devices.registry import DeviceDetails
from dispatcher.errors import StateError
from dispatcher.front.admission.peer import Peer, read_peer
from dispatcher.front.connection.front_context import CONTEXT, FrontContext
from dispatcher.messages import OTA_PATH

log = structlog.get_logger(__name__)

ACTIVATE_PATH: Final = f"{OTA_PATH}activate"
REGISTRY_TIMEOUT_S: Final = 1.0
CODE_TIMEOUT_MS: Final = 30_000
DONE: Final = 200
NOT_YET: Final = 202


async def register(context: FrontContext, peer: Peer, details: DeviceDetails) -> dict[str, Any]:
    """Register a device that asks for its address; return what the answer says of its activation.

    Returns:
        `{"activation": {...}}` while the device has to wait, else nothing. An unreachable Redis changes
        nothing for the device: its connection would be refused, and it asks again.
    """
    if peer.anonymous:
        return {}
    details = replace(details, client_id=peer.client_id)
    wants_code = context.settings.activation == "on"
    recording = registry.record_seen(context.redis, peer.device_id, details, wants_code=wants_code)
    if not wants_code:
        context.spawn(recording)
        return {}
    try:
        async with asyncio.timeout(REGISTRY_TIMEOUT_S):
            known = await recording
    except (StateError, TimeoutError) as error:
        log.warning("no activation code", device=peer.device_id, reason=str(error) or "no answer in time")
        return {}
    return {} if known.activated or not known.code else {"activation": _shown_code(known.code)}


def _shown_code(code: str) -> dict[str, Any]:
    """Return what a device shows and speaks while it has to wait."""
    message, challenge = f"xiaozhi dispatcher\n{code}", uuid.uuid4().hex
    return {"code": code, "message": message, "challenge": challenge, "timeout_ms": CODE_TIMEOUT_MS}


async def answer_activation(request: web.Request) -> web.Response:
    """Answer a device that asks whether its code was typed."""
    context = request.app[CONTEXT]
    peer = read_peer(request)
    if context.settings.activation == "off":
        return web.json_response({"message": "activated"}, status=DONE)
    try:
        async with asyncio.timeout(REGISTRY_TIMEOUT_S):
            known = await registry.read(context.redis, peer.device_id)
    except (StateError, TimeoutError):
        return web.json_response({"message": "not known at the moment"}, status=NOT_YET)
    status, message = (DONE, "activated") if known.activated else (NOT_YET, "the code was not typed yet")
    return web.json_response({"message": message}, status=status)
