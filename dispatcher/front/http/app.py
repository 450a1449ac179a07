"""Application of a front: devices, people and probes on one port."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from dispatcher import event_loop
from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import StartError
from dispatcher.front.admission.connection_limiter import raise_descriptor_limit
from dispatcher.front.connection.connected_device import DRAINED, DRAINED_CODE, ConnectedDevice
from dispatcher.front.connection.front_context import CONTEXT, FrontContext
from dispatcher.front.connection.front_loops import run_loops
from dispatcher.front.http.device_socket import MAX_MESSAGE_BYTES, connect_device
from dispatcher.front.http.listening import BrokenRequests, ConnectionSite
from dispatcher.front.http.ota import add_ota
from dispatcher.front.http.pages import add_pages
from dispatcher.front.http.probes import add_probes
from dispatcher.front.http.socket_handover import SocketHandover
from dispatcher.logs import configure_logging
from dispatcher.messages import WEBSOCKET_PATH
from dispatcher.routing.initial_catalogue import starting_catalogue
from dispatcher.settings import Settings, load_settings

# Longer than nginx keeps an idle connection to a front, so that no request meets a closed one.
KEEPALIVE_TIMEOUT_S: Final = 75.0
DRAIN_POLL_INTERVAL_S: Final = 0.05


def create_app(settings: Settings, catalogue: Catalogue) -> web.Application:
    """Return the application; it connects when it starts."""
    app = web.Application(client_max_size=MAX_MESSAGE_BYTES, middlewares=[mark_requested])

    async def share_context(app: web.Application) -> AsyncIterator[None]:
        context = app[CONTEXT] = FrontContext.create(settings, catalogue)
        async with run_loops(context):
            yield

    app.cleanup_ctx.append(share_context)
    for path in (WEBSOCKET_PATH, WEBSOCKET_PATH.rstrip("/")):
        app.router.add_get(path, connect_device)
    add_ota(app)
    add_probes(app)
    add_pages(app, settings)
    if settings.metrics_port:
        from dispatcher.front.http.metrics import add_metrics  # noqa: PLC0415  2 MB that few fronts need

        add_metrics(app)
    return app


@web.middleware
async def mark_requested(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note that the headers of a request came: its connection is not closed as a silent one."""
    request.app[CONTEXT].connection_limiter.mark_requested(request.transport)
    return await handler(request)


def run_front() -> None:
    """Run the front of this process's settings until it gets a signal to stop.

    Raises:
        StartError: the port is taken.
        ConfigError: a setting or the YAML is wrong.
    """
    settings = load_settings()
    configure_logging(settings)
    raise_descriptor_limit(settings.max_devices or 0)
    catalogue = starting_catalogue(settings)
    gc.freeze()
    try:
        event_loop.run(_serve(create_app(settings, catalogue), settings))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise StartError(f"port {settings.front_port} is taken; set FRONT_PORT to another") from error


async def _serve(app: web.Application, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then admit no device, and let each end what it began.

    Under a supervisor devices are admitted until the next front serves at the same port.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=1,
        keepalive_timeout=KEEPALIVE_TIMEOUT_S,
        auto_decompress=False,  # no device compresses; 100 kB of a stranger would be 100 MB
    )
    await runner.setup()
    connections = app[CONTEXT].connection_limiter
    logging.getLogger("aiohttp.server").addFilter(BrokenRequests(connections))
    handover = SocketHandover.inherited()
    try:
        sockets = handover.sockets(settings)
        site = ConnectionSite(runner, sockets, connections)
        await site.start()
        handover.notify_serving()
        await stopping.wait()
        await handover.wait_until_replaced()
        await site.stop()
        # Before the runner shuts down: from then on aiohttp throws away whatever a device still says.
        await drain(app[CONTEXT])
    finally:
        handover.close()
        await runner.cleanup()


async def drain(context: FrontContext) -> None:
    """Close the connections of all devices, in the order in which they can be spared.

    A device that is neither in a turn nor in the middle of an utterance goes at once: it would begin its next
    turn here, and lose it. One that is gets `drain_s` to play the whole answer.
    """
    context.status.draining = True
    closing: dict[ConnectedDevice, asyncio.Task[None]] = {}
    loop = asyncio.get_running_loop()
    gives_up_at = loop.time() + context.settings.drain_s
    while any(device not in closing for device in context.devices.values()):
        is_late = loop.time() >= gives_up_at
        for device in list(context.devices.values()):
            if device not in closing and (is_late or not device.awaits_answer):
                going = device.writer.close(code=DRAINED_CODE, reason=DRAINED)
                closing[device] = loop.create_task(going)
        if not is_late:
            await asyncio.sleep(DRAIN_POLL_INTERVAL_S)
    # The sockets themselves bound how long a silent peer is waited for.
    await asyncio.gather(*closing.values(), return_exceptions=True)
