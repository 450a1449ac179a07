"""The front's port: its sockets for IPv4 and IPv6, and who is let connect to them."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from dispatcher.front.admission.connection_limiter import ConnectionLimiter

log = structlog.get_logger(__name__)

BACKLOG: Final = 1024
# So long nothing is accepted when there are no descriptors; whoever connects waits in the backlog.
NO_DESCRIPTOR_PAUSE_S: Final = 0.1
# Of connections without a request, where there are no descriptors left.
EVICTED_AT_ONCE: Final = 64
CLOSE_LATE_INTERVAL_S: Final = 1.0
_NO_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class ConnectionSite(web.BaseSite):
    """The sockets that a front accepts connections on."""

    def __init__(
        self, runner: web.AppRunner, sockets: Sequence[socket.socket], connections: ConnectionLimiter
    ) -> None:
        """Use bound sockets, which are closed with the site."""
        super().__init__(runner, backlog=BACKLOG)
        self._sockets = list(sockets)
        self._connections = connections
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def name(self) -> str:
        """The first address."""
        host, port, *_ = self._sockets[0].getsockname()
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Begin to accept.

        Raises:
            OSError: an address is taken.
        """
        await super().start()
        for each in self._sockets:
            each.setblocking(False)
            each.listen(self._backlog)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._accept_all(each)) for each in self._sockets]
        self._tasks.append(loop.create_task(self._close_late()))

    async def stop(self) -> None:
        """Accept nobody any more; those who are connected stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for each in self._sockets:
            each.close()
        await super().stop()

    async def _accept_all(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listening)
            except OSError as error:
                await self._survive(error)
                continue
            with suppress(OSError):  # it went away at once
                await self._let_in(connection, str(address[0]) if address else "")

    async def _survive(self, error: OSError) -> None:
        """Go on after an accept that failed: without descriptors one is freed, and the rest has to wait."""
        if error.errno in _NO_ROOM:
            self._connections.refusals.note(f"no connection accepted: {error.strerror}", "any")
            for _ in range(EVICTED_AT_ONCE):
                if not self._connections.try_evict_silent():
                    break
        await asyncio.sleep(NO_DESCRIPTOR_PAUSE_S)

    async def _let_in(self, connection: socket.socket, address: str) -> None:
        server = self._runner.server
        if server is None or not self._connections.try_admit(address):
            connection.close()
            return
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(server, connection)
        self._connections.add(transport, address)

    async def _close_late(self) -> None:
        while True:
            await asyncio.sleep(CLOSE_LATE_INTERVAL_S)
            self._connections.close_late()


class BrokenRequests(logging.Filter):
    """Counts requests that are no HTTP, where aiohttp would write a traceback for each."""

    def __init__(self, connections: ConnectionLimiter) -> None:
        """Count them with the refusals of connections."""
        super().__init__()
        self._connections = connections

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, (HttpProcessingError, ConnectionError)):
            return True
        address = str(record.args[0]) if isinstance(record.args, tuple) and record.args else "any"
        self._connections.refusals.note("requests that are no HTTP were refused", address)
        return False
