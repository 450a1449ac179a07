"""Process of one bundled instance: bind, load, serve, stop."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import structlog
from aiohttp import web

from dispatcher import event_loop
from dispatcher.bundled.engines import Service, ThreadedEngine
from dispatcher.bundled.registry import PreparedEngine, prepare
from dispatcher.bundled.routes import build_app
from dispatcher.bundled.served_engine import ServedEngine
from dispatcher.errors import StartError

log = structlog.get_logger(__name__)

# How long a stop waits for calls in flight. aiohttp waits twice: for their end, and once they are cut off.
DRAIN_TIMEOUT_S: Final = 2.0


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

    The port is open at once and /health says 503 until the engine is loaded. Port 0 takes a free one.
    An engine that `may_fail` can be told to (see `registry.prepare`).

    Raises:
        ConfigError: there is no such engine, or an option is wrong.
        StartError: the port is taken, or the engine cannot be loaded.
    """
    prepared = prepare(service, engine, options, may_fail=may_fail)
    served = ServedEngine(service=service, engine_name=prepared.name)
    runner = web.AppRunner(
        build_app(served, prepared.fault_setting),
        access_log=None,
        # A caller that goes away ends its call: a barge-in must reach the engine.
        handler_cancellation=True,
        shutdown_timeout=DRAIN_TIMEOUT_S,
        auto_decompress=False,
    )
    if not event_loop.run(_serve(served, runner, prepared, host=host, port=port)):
        _end_at_once()


def _end_at_once() -> None:
    """End a process that was stopped while it loaded: native code in that thread would abort it later."""
    sys.stderr.flush()
    os._exit(0)


async def _serve(
    served: ServedEngine, runner: web.AppRunner, prepared: PreparedEngine, *, host: str, port: int
) -> bool:
    """Serve until a signal; return whether the engine was loaded by then."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await runner.setup()
    try:
        await _listen(runner, served.service, host=host, port=port)
        await _load_and_wait(served, prepared, stopping)
    finally:
        await runner.cleanup()
        if isinstance(served.engine, ThreadedEngine):
            served.engine.close()
    log.info("instance stopped", service=served.service)
    return served.engine is not None


async def _listen(runner: web.AppRunner, service: Service, *, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise StartError(
            f"{service} instance: {host}:{port} {reason}; choose another with --port or --host"
        ) from error


async def _load_and_wait(served: ServedEngine, prepared: PreparedEngine, stopping: asyncio.Event) -> None:
    started_s = time.monotonic()
    # A thread of its own: closing the loop would wait for one of its default executor.
    loading = ThreadPoolExecutor(1, thread_name_prefix="load-engine")
    engine = asyncio.get_running_loop().run_in_executor(loading, prepared.load)
    stop = asyncio.ensure_future(stopping.wait())
    waiting: set[asyncio.Future[Any]] = {engine, stop}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if not engine.done():
        return
    served.engine, served.engine_name = engine.result(), prepared.name
    log.info(
        "instance ready",
        service=served.service,
        engine=served.engine_name,
        load_s=round(time.monotonic() - started_s, 2),
        process=os.getpid(),
    )
    await stop
