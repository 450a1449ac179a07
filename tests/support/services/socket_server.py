"""A WebSocket server that does what a test tells it to, well or badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from dispatcher.catalogue.model import Instance
from dispatcher.messages import Service

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


@dataclass
class SocketServer:
    """The server, and an instance that a provider takes it for.

    Attributes:
        requests: every handshake, oldest first.
        gone: set when a client closed its socket, or dropped its connection.
    """

    port: int = 0
    requests: list[web.Request] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _handler: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None

    def instance(self, service: Service = "tts", **fields: Any) -> Instance:
        return Instance(service=service, name=f"{service}-1", endpoint=self.url, **fields)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def refuses(self, status: int, body: str = "", **headers: str) -> None:
        """Answer every handshake with a status."""

        async def handler(_: web.Request) -> web.Response:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(status=status, text=body, headers=given)

        self._handler = handler

    def talks(self, talk: Talk) -> None:
        """Accept every handshake, then do this."""

        async def handler(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            try:
                await talk(socket)
                await socket.close()
            finally:
                self.gone.set()
            return socket

        self._handler = handler

    def sends(self, *messages: str | bytes) -> None:
        """Accept every handshake, send these messages and close."""

        async def talk(socket: web.WebSocketResponse) -> None:
            for message in messages:
                await send(socket, message)

        self.talks(talk)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        assert self._handler is not None
        return await self._handler(request)


async def send(socket: web.WebSocketResponse, message: str | bytes) -> None:
    """Send a text or a binary message."""
    if isinstance(message, str):
        await socket.send_str(message)
    else:
        await socket.send_bytes(message)


async def read_for_ever(socket: web.WebSocketResponse) -> None:
    """Take in what comes, say nothing, and return when the client closes."""
    async for _ in socket:
        pass


@asynccontextmanager
async def serving_sockets() -> AsyncGenerator[SocketServer]:
    """Start the server on a free port."""
    server = SocketServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()
