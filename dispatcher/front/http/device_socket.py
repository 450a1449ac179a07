"""WebSocket endpoint of devices: a request is admitted, upgraded and served until the device disconnects."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from dispatcher.front.admission.client_address import client_address_of, counted_address
from dispatcher.front.admission.peer import Peer, check_token, read_peer
from dispatcher.front.admission.socket_limiter import AdmittedSocket
from dispatcher.front.connection.connected_device import BLOCKED_CODE
from dispatcher.front.connection.device_connection import DeviceConnection
from dispatcher.front.connection.device_profile import DeviceProfile
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.frames import read_version
from dispatcher.front.connection.front_context import CONTEXT, FrontContext
from dispatcher.front.connection.unadmitted_device import UnadmittedDevice

# Larger messages are no mistake of a device; the socket is closed.
MAX_MESSAGE_BYTES: Final = 1024 * 1024


async def connect_device(request: web.Request) -> web.StreamResponse:
    """Upgrade a device's request and serve it until it disconnects.

    Raises:
        aiohttp.web.HTTPException: it is not admitted.
    """
    context = request.app[CONTEXT]
    peer = read_peer(request)
    settings = context.settings
    address = counted_address(request, settings.trusted_proxies)
    origin = client_address_of(request, settings.trusted_proxies, public_url=settings.front_public_url)
    try:
        check_token(request, peer, context.status.tokens, origin)
    except web.HTTPUnauthorized:
        refusals = context.connection_limiter.refusals
        refusals.note("devices refused, no valid token", address or "this host")
        raise
    if context.status.draining:
        raise web.HTTPServiceUnavailable(text="this front stops", headers={"Retry-After": "5"})
    # Before anything is waited for: of any number at once no more than the limit get past.
    admitted = context.socket_limiter.admit(address, limit=context.max_devices)
    try:
        profile = await _admit(context, peer, is_local=origin.is_local)
        return await _serve(request, context, profile, admitted)
    finally:
        admitted.release()


async def _admit(context: FrontContext, peer: Peer, *, is_local: bool) -> DeviceProfile:
    """Return the profile of a device that may come in; without Redis none is known as blocked or activated.

    Clients on this host need no code, as they need no token: the talk page, and tests of an operator.

    Raises:
        aiohttp.web.HTTPForbidden: the device is blocked, or has to be activated first.
    """
    profile = DeviceProfile(context, peer)
    known = await profile.registered()
    if known.blocked:
        raise web.HTTPForbidden(text=f"{peer.device_id} is blocked; `dispatcher devices unblock` lets it in")
    if context.settings.activation == "on" and not known.activated and not is_local:
        raise web.HTTPForbidden(
            text=f"{peer.device_id} is not activated; "
            "it shows a code when it starts, for `dispatcher devices activate`"
        )
    await profile.bind()
    return profile


async def _serve(
    request: web.Request, context: FrontContext, profile: DeviceProfile, admitted: AdmittedSocket
) -> web.StreamResponse:
    # No heartbeat: a pong deadline would cut real devices. No compression: Opus does not shrink.
    socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES, compress=False, timeout=1)
    await socket.prepare(request)
    writer = DeviceWriter(socket, request.transport, read_version(request.headers.get("Protocol-Version")))
    writer.on_greeted = admitted.mark_greeted
    admitted.close = lambda: context.spawn(writer.close(code=BLOCKED_CODE, reason=b"no hello in time"))
    connection = UnadmittedDevice if profile.is_unadmitted else DeviceConnection
    await connection(context, socket, writer, profile).serve()
    return socket
