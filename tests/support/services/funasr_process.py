"""A FunASR server as a process of its own: `python -m tests.support.services.funasr_process PORT`.

Beside the socket it tells at /heard what came on each connection.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from aiohttp import web

from tests.support.processes import Process, free_port
from tests.support.services.funasr import FunAsrServer
from tests.support.waiting import eventually


class FunAsrProcess(Process):
    """The server, which a test may kill."""

    def __init__(self, name: str, folder: Path) -> None:
        """Choose a port; nothing is started yet."""
        self.port = free_port()
        command = [sys.executable, "-m", "tests.support.services.funasr_process", str(self.port)]
        super().__init__(name, command, folder=folder)

    def wait_until_ready(self) -> None:
        """Return when it answers."""
        eventually(lambda: self._ask() is not None, what=f"{self.name} is ready")

    def revive(self) -> None:
        """Start it where it is dead."""
        if not self.runs:
            self.start()
            self.wait_until_ready()

    def heard(self) -> list[dict[str, Any]]:
        """Return what came on each connection: `messages`, `bytes`, `ended`, `open`."""
        heard = self._ask()
        assert heard is not None, f"{self.name} does not answer"
        return heard

    def _ask(self) -> list[dict[str, Any]] | None:
        assert self.runs, f"{self.name} ended: {self.output()}"
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/heard", timeout=5) as response:
                found: list[dict[str, Any]] = json.load(response)
                return found
        except (HTTPError, URLError, OSError):
            return None


class App:
    """The server as an application that also tells what it heard."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self._server = FunAsrServer()
        self._closed: set[int] = set()
        self.application = web.Application()
        self.application.router.add_get("/heard", self._heard)
        self.application.router.add_get("/{path:.*}", self._socket_or_refusal)

    async def _socket_or_refusal(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        if not socket.can_prepare(request):
            return web.Response(status=426, text="Upgrade Required")
        await socket.prepare(request)
        number = len(self._server.heard)
        try:
            await self._server.talk(socket)
        finally:
            self._closed.add(number)
        return socket

    async def _heard(self, _: web.Request) -> web.Response:
        told = [
            {
                "messages": len(each.sizes),
                "bytes": sum(each.sizes),
                "ended": each.ended,
                "open": number not in self._closed,
            }
            for number, each in enumerate(self._server.heard)
        ]
        return web.json_response(told)


if __name__ == "__main__":
    web.run_app(App().application, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
