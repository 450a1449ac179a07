"""A console as a process of its own, over the Redis of a test; and what its feed sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from tests.support.processes import BIN, Process, free_port
from tests.support.waiting import WAIT_TIMEOUT_S, eventually


class ConsoleProcess(Process):
    """One `dispatcher console`."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        """Choose a port; nothing is started yet."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {**environ, "CONSOLE_PORT": str(self.port)}
        super().__init__("console", [str(BIN / "dispatcher"), "console"], folder=folder, environ=own)

    def start(self) -> None:
        """Start it and wait until it shows a Redis."""
        super().start()
        eventually(lambda: "xiaozhi_redis_up 1.0" in self.get("/metrics"), what="an answer of the console")

    def get(self, path: str) -> str:
        """Return a page, as soon as there is an answer that is not empty."""
        return eventually(lambda: self._read(path), what=f"{path} of the console")

    def _read(self, path: str) -> str:
        assert self.runs, self.output()
        try:
            with urlopen(self.url + path, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            return ""


async def events(response: ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """Yield each part that the feed sends, with its content."""
    name = ""
    async for raw in response.content:
        field, _, value = raw.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


async def sent(client: TestClient[Any, Any], *names: str) -> Mapping[str, Any]:
    """Return the first contents of these parts of the feed."""
    found: dict[str, Any] = {}
    async with asyncio.timeout(WAIT_TIMEOUT_S), client.get("/live") as response:
        assert response.status == 200
        async for name, content in events(response):
            found.setdefault(name, content)
            if found.keys() >= set(names):
                break
    return found
