"""What the services in software share: a port, what they were asked, and the fault that is on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Literal, Self

from aiohttp import web

# What any service can do wrong: refuse, die in mid-speech, close in mid-speech, let the first answer wait,
# answer with a web page, answer with nothing.
Fault = Literal["", "quota", "dies", "closes", "waits", "html", "empty"]
HTML = "<!doctype html><title>502 Bad Gateway</title>"


class FakeService:
    """A service on a free port of this machine.

    Attributes:
        asked: the requests, as the dialect carries them, oldest first.
        fault: what goes wrong from now on.
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


def die(request: web.Request) -> None:
    """Drop the connection without a word."""
    if request.transport is not None:
        request.transport.abort()
