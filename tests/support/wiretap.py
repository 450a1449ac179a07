"""A relay in front of an LLM instance that keeps what it is asked: a test reads the real requests."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, Final

_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")
_TRACEPARENT: Final = re.compile(rb"(?i)\r\ntraceparent: *([\w-]+)\r\n")


class Wiretap:
    """Passes bytes on, both ways and unchanged; a side that ends its connection ends the other."""

    def __init__(self, instance_port: int) -> None:
        """Listen on a port of its own, in a thread."""
        self._instance_port = instance_port
        self._requests: list[tuple[int, dict[str, Any]]] = []
        self._traceparents: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=f"wiretap of {instance_port}")
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self._server = starting.result(5)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def requests(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the JSON bodies of all requests, each with the moment when it was whole."""
        return list(self._requests)

    def traceparents(self) -> set[str]:
        """Return the header `traceparent` of each request that had one."""
        return set(self._traceparents)

    def forget(self) -> None:
        """Forget what was asked so far."""
        self._requests.clear()

    def close(self) -> None:
        """Stop listening and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._relay, "127.0.0.1", 0)

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._instance_port)
        except OSError:
            writer.transport.abort()
            return
        ways = [
            asyncio.create_task(_pass_on(reader, to_writer, self._listen_in)),
            asyncio.create_task(_pass_on(to_reader, writer, _hear_nothing)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for side in (writer, to_writer):
                side.close()
            await asyncio.gather(*ways, return_exceptions=True)

    def _listen_in(self, said: bytearray) -> None:
        """Take every whole request out of what a connection has said so far."""
        while (end := said.find(b"\r\n\r\n")) >= 0:
            head = bytes(said[: end + 2])
            whole = end + 4 + (int(match[1]) if (match := _LENGTH.search(head)) else 0)
            if len(said) < whole:
                return
            self._traceparents |= {found.decode() for found in _TRACEPARENT.findall(head)}
            if body := bytes(said[end + 4 : whole]):
                self._requests.append((time.monotonic_ns(), json.loads(body)))
            del said[:whole]


def _hear_nothing(said: bytearray) -> None:
    """Keep nothing of what an instance answers."""
    said.clear()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listen_in: Callable[[bytearray], None]
) -> None:
    said = bytearray()
    with suppress(ConnectionError):
        while part := await reader.read(65536):
            said += part
            listen_in(said)
            writer.write(part)
            await writer.drain()
