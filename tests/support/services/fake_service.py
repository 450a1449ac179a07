"""What the services in software share: a port, what they were asked, and the fault that is on."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self, TypeVar

from aiohttp import web

HTML = "<!doctype html><title>502 Bad Gateway</title>"


class FakeService:
    """A service on a free port of this machine.

    Attributes:
        asked: the requests, as the dialect carries them, oldest first.
        fault: what goes wrong from now on: quota, dies or closes in mid-answer, waits before it, html, empty;
            or what the dialect has of its own.
        go_on: let an answer that waits come.
        gone: set when a client left before its answer was over.
    """

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[dict[str, Any]] = []
        self.fault: str = ""
        self.go_on = asyncio.Event()
        self.gone = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        """Return what the service serves."""
        raise NotImplementedError

    @classmethod
    @asynccontextmanager
    async def serving(cls, *args: Any, **options: Any) -> AsyncGenerator[Self]:
        """Run the service while the block lasts."""
        service = cls(*args, **options)
        app = web.Application()
        app.add_routes(service.routes())
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service.port = runner.addresses[0][1]
        try:
            yield service
        finally:
            await runner.cleanup()

    async def wait_to_go_on(self) -> None:
        """Wait where the first answer is slow; note a client that leaves meanwhile."""
        if self.fault != "waits":
            return
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.gone.set()
            raise


Service = TypeVar("Service", bound=FakeService)


def die(request: web.Request) -> None:
    """Drop the connection without a word."""
    if request.transport is not None:
        request.transport.abort()


@contextmanager
def in_a_thread(kind: type[Service]) -> Iterator[Service]:
    """Run a service on a loop of its own, for tests whose own code runs elsewhere."""
    started: queue.Queue[tuple[Service, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        stop = asyncio.Event()
        async with kind.serving() as service:
            started.put((service, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name=kind.__name__)
    thread.start()
    service, loop, stop = started.get(timeout=20)
    try:
        yield service
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
