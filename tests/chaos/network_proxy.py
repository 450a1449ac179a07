"""TCP proxy on loopback that delays, holds back, resets or slices what passes, as a network does."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from contextlib import suppress
from typing import Final, Literal, TypeAlias

# delay = every piece comes a little later, each by another time · hold = nothing passes until it is over ·
# reset = connections are cut, the new ones after a moment · slice = few bytes at a time
NetworkMode: TypeAlias = Literal["pass", "delay", "hold", "reset", "slice"]
CHUNK_BYTES: Final = 65_536
DELAY_S: Final = (0.02, 0.12)
RESET_AFTER_S: Final = (0.0, 0.05)
SLICE_BYTES: Final = (1, 64)
# On close: an RST, and nothing of what is pending.
LINGER_OFF: Final = struct.pack("ii", 1, 0)


class NetworkProxy:
    """Relay in front of one port; what it does is changed while connections are open."""

    def __init__(self, port: int, target_port: int, rng: random.Random) -> None:
        """Listen nowhere yet."""
        self.port = port
        self._target_port = target_port
        self._rng = rng
        self._mode: NetworkMode = "pass"
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def set_mode(self, mode: NetworkMode) -> None:
        """Treat what passes like this from now on."""
        self._mode = mode
        if mode == "hold":
            self._passes.clear()
        else:
            self._passes.set()
        if mode == "reset":
            for relay in self._relays:
                relay.cancel()

    async def close(self) -> None:
        """Cut every connection, and listen no longer."""
        if self._server is not None:
            self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        target: asyncio.StreamWriter | None = None
        try:
            if self._mode == "reset":
                await asyncio.sleep(self._rng.uniform(*RESET_AFTER_S))
                return
            await self._passes.wait()
            to_reader, target = await asyncio.open_connection("127.0.0.1", self._target_port)
            await asyncio.gather(self._pump(reader, target), self._pump(to_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._relays.discard(task)
            for each in (writer, target):
                if each is not None:
                    _reset(each)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(CHUNK_BYTES):
            await self._passes.wait()
            if self._mode == "delay":
                await asyncio.sleep(self._rng.uniform(*DELAY_S))
            await self._write(writer, piece)
        with suppress(OSError):
            writer.write_eof()

    async def _write(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        while piece:
            size = self._rng.randint(*SLICE_BYTES) if self._mode == "slice" else len(piece)
            writer.write(piece[:size])
            await writer.drain()
            piece = piece[size:]
            await asyncio.sleep(0)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_OFF)
    writer.transport.abort()
