"""The process of one built-in instance: bind, load, serve, stop."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Final

import structlog
import uvloop
from aiohttp import web

from dispatcher.bundled.engines import Engine, Service
from dispatcher.bundled.failing import behind_switch
from dispatcher.bundled.loading import Loading
from dispatcher.bundled.registry import Prepared, prepare
from dispatcher.bundled.routes import build_app
from dispatcher.bundled.running import Running
from dispatcher.bundled.timed.faults import Faults
from dispatcher.errors import StartError

log = structlog.get_logger(__name__)

# How long a stop waits for calls in flight. aiohttp waits twice: for their end, and once they are cut off.
DRAIN_S: Final = 2.0


def run_instance(
    *,
    service: Service,
    engine: str,
    host: str,
    port: int,
    options: Mapping[str, str],
    may_fail: bool = False,
) -> None:
    """Serve one instance until SIGTERM or SIGINT; blocks, and belongs into the main thread.

    The port is open at once and /health says 503 until the engine is loaded.

    Args:
        service: which routes to serve.
        engine: one of `registry.ENGINES[service]`.
        host: address to listen on.
        port: port to listen on; 0 takes a free one, which the log tells.
        options: the engine's own, as text.
        may_fail: an engine that has no switch for faults gets one.

    Raises:
        ConfigError: there is no such engine, or an option is wrong.
        StartError: the port is taken, or the engine cannot be loaded.
    """
    prepared = prepare(service, engine, options)
    if may_fail and prepared.faults is None:
        prepared = _with_switch(service, prepared)
    running: Running[Engine] = Running(service=service, engine_name=engine)
    loading = Loading(prepared.load)
    uvloop.run(_serve(running, prepared.faults, loading, host=host, port=port))
    if loading.is_running:
        # Stopped while it loaded: native code in that thread aborts when the interpreter goes away under it.
        sys.stderr.flush()
        os._exit(0)


def _with_switch(service: Service, prepared: Prepared) -> Prepared:
    faults = Faults()
    return Prepared(load=lambda: behind_switch(service, prepared.load(), faults), faults=faults)


async def _serve(
    running: Running[Engine], faults: Faults | None, loading: Loading, *, host: str, port: int
) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    runner = web.AppRunner(
        build_app(running, faults),
        access_log=None,
        # A caller that goes away ends its call: a barge-in must reach the engine.
        handler_cancellation=True,
        shutdown_timeout=DRAIN_S,
    )
    await runner.setup()
    try:
        await _listen(runner, running.service, host=host, port=port)
        await _load_and_wait(running, loading, stopping)
    finally:
        await runner.cleanup()
        if running.engine is not None:
            running.engine.close()
    log.info("instance stopped", service=running.service)


async def _listen(runner: web.AppRunner, service: Service, *, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise StartError(
            f"{service} instance: {host}:{port} {reason}; choose another with --port or --host"
        ) from error


async def _load_and_wait(running: Running[Engine], loading: Loading, stopping: asyncio.Event) -> None:
    started_s = time.monotonic()
    engine = asyncio.ensure_future(loading.engine())
    stop = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({engine, stop}, return_when=asyncio.FIRST_COMPLETED)
    if not engine.done():
        engine.cancel()
        return
    running.engine = engine.result()
    log.info(
        "instance ready",
        service=running.service,
        engine=running.engine_name,
        load_s=round(time.monotonic() - started_s, 2),
        process=os.getpid(),
    )
    await stop
