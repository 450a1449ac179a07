"""The front: one aiohttp application for devices, people and probes."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import structlog
import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler

from dispatcher.catalogue.model import Catalogue
from dispatcher.devices.device_commands import serve
from dispatcher.errors import StartError
from dispatcher.front.admission.client_address import counted_address
from dispatcher.front.admission.connection_limiter import raise_descriptor_limit
from dispatcher.front.admission.peer import admit, read_peer
from dispatcher.front.connection.device_command_handler import carry, look_again
from dispatcher.front.connection.device_connection import DeviceConnection
from dispatcher.front.connection.device_profile import BLOCKED_CODE, DeviceProfile, admit_device
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.front_context import CONTEXT, FrontContext
from dispatcher.front.connection.unadmitted_device import UnadmittedDevice
from dispatcher.front.http.drain import drain
from dispatcher.front.http.listening import BrokenRequests, ListeningSocket
from dispatcher.front.http.ota import add_ota
from dispatcher.front.http.pages import add_pages
from dispatcher.front.http.probes import add_probes
from dispatcher.front.http.socket_handover import SocketHandover
from dispatcher.logs import configure_logging
from dispatcher.messages import WEBSOCKET_PATH
from dispatcher.redis_client.client import connect
from dispatcher.routing.initial_catalogue import starting_catalogue
from dispatcher.settings import Settings, load_settings

log = structlog.get_logger(__name__)

# Larger messages are no mistake of a device; the socket is closed.
MAX_MESSAGE_BYTES: Final = 1024 * 1024
# Longer than nginx keeps an idle connection to a front, so that no request meets a closed one.
KEEPALIVE_TIMEOUT_S: Final = 75.0


def create_app(settings: Settings, catalogue: Catalogue) -> web.Application:
    """Return the application; it connects when it starts."""
    app = web.Application(client_max_size=MAX_MESSAGE_BYTES, middlewares=[mark_requested])

    async def share_context(app: web.Application) -> AsyncIterator[None]:
        context = app[CONTEXT] = FrontContext(settings, catalogue)
        await context.join()
        context.start()
        errands_client = connect(settings.redis_url, socket_timeout_s=None)
        on_listening = partial(look_again, context)
        context.follow(
            serve(errands_client, context.redis, partial(carry, context), on_listening=on_listening)
        )
        yield
        await context.close()
        await errands_client.aclose()

    app.cleanup_ctx.append(share_context)
    for path in (WEBSOCKET_PATH, WEBSOCKET_PATH.rstrip("/")):
        app.router.add_get(path, connect_device)
    add_ota(app)
    add_probes(app)
    add_pages(app, settings)
    return app


@web.middleware
async def mark_requested(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note that the headers of a request came: its connection is not closed as a silent one."""
    request.app[CONTEXT].connection_limiter.mark_requested(request.transport)
    return await handler(request)


async def connect_device(request: web.Request) -> web.StreamResponse:
    """Upgrade a device's request and serve it until it is gone."""
    context = request.app[CONTEXT]
    peer = read_peer(request)
    settings = context.settings
    address = counted_address(request, settings.trusted_proxies)
    try:
        admit(
            request,
            peer,
            context.tokens,
            trusted=settings.trusted_proxies,
            public_url=settings.front_public_url,
        )
    except web.HTTPUnauthorized:
        context.connection_limiter.refusals.note("devices refused, no valid token", address or "this host")
        raise
    if context.draining:
        raise web.HTTPServiceUnavailable(text="this front stops", headers={"Retry-After": "5"})
    # Before anything is waited for: of any number at once no more than the limit get past.
    seat = context.socket_limiter.take(address, most=context.most_devices)
    try:
        who = await admit_device(request, context, peer)
        who.seat = seat
        return await _serve_device(request, context, who)
    finally:
        seat.release()


async def _serve_device(
    request: web.Request, context: FrontContext, who: DeviceProfile
) -> web.StreamResponse:
    """Upgrade the request of a device that was let in."""
    # No heartbeat: a pong deadline would cut real devices. No compression: Opus does not shrink.
    socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES, compress=False, timeout=1)
    await socket.prepare(request)
    if who.seat is not None:
        who.seat.close = lambda: context.spawn(socket.close(code=BLOCKED_CODE, message=b"no hello in time"))
    writer = DeviceWriter(socket, request.transport, who.peer.version)
    await (UnadmittedDevice if who.waits else DeviceConnection)(context, socket, writer, who).serve()
    return socket


def run_front() -> None:
    """Run the front of this process's settings until it is told to stop.

    Raises:
        StartError: the port is taken.
        ConfigError: a setting or the YAML is wrong.
    """
    settings = load_settings()
    configure_logging(settings)
    raise_descriptor_limit(settings.max_devices)
    catalogue = starting_catalogue(settings)
    gc.freeze()
    try:
        uvloop.run(_serve(create_app(settings, catalogue), settings))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise StartError(f"port {settings.front_port} is taken; set FRONT_PORT to another") from error


async def _serve(app: web.Application, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then let nobody in any more, and those inside end what they began.

    Under a supervisor devices are let in until the next front serves at the same port.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, keepalive_timeout=KEEPALIVE_TIMEOUT_S)
    await runner.setup()
    connections = app[CONTEXT].connection_limiter
    logging.getLogger("aiohttp.server").addFilter(BrokenRequests(connections))
    succession = SocketHandover.inherited()
    try:
        sockets = succession.sockets(settings)
        site = ListeningSocket(runner, sockets, connections)
        await site.start()
        succession.say_serving()
        await stopping.wait()
        await succession.followed()
        await site.stop()
        # Before the runner shuts down: from then on aiohttp throws away whatever a device still says.
        await drain(app[CONTEXT])
    finally:
        succession.close()
        await runner.cleanup()
