"""A relay in front of a broker that loses an answer, or says that it still loads, when a test asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final, Literal

from dispatcher.redis_client.client import RedisClient, connect

CHUNK_BYTES: Final = 65_536
_LOADING: Final = b"-LOADING Valkey is loading the dataset in memory\r\n"
Fault = Literal["answer lost", "loading"]


class FlakyRedis:
    """Passes bytes on; the first command of a name that comes after `next_time` meets the fault."""

    def __init__(self, port: int) -> None:
        """Stand in front of the broker on a port of loopback."""
        self._broker_port = port
        self._faults: dict[bytes, Fault] = {}
        self.met: list[bytes] = []

    def next_time(self, command: str, fault: Fault) -> None:
        """Let the next command of a name meet a fault, once.

        Args:
            command: its name, or a word that stands in it.
            fault: "answer lost" carries it out and ends the connection instead of answering; "loading" is
                what a server says that has just been started.
        """
        self._faults[command.encode()] = fault

    @asynccontextmanager
    async def redis(self, *, reconnect_timeout_s: float) -> AsyncGenerator[RedisClient]:
        """Listen, and open a line to the broker through this relay."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        redis = RedisClient(connect(f"redis://127.0.0.1:{port}/0"), reconnect_timeout_s=reconnect_timeout_s)
        try:
            yield redis
        finally:
            await redis.close()
            server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._broker_port)
        with suppress(ConnectionError):
            while asked := await reader.read(CHUNK_BYTES):
                word = next((word for word in self._faults if word in asked), None)
                fault = self._faults.pop(word) if word is not None else None
                if word is not None:
                    self.met.append(word)
                if fault == "loading":
                    writer.write(_LOADING)
                    continue
                to_broker.write(asked)
                answer = await from_broker.read(CHUNK_BYTES)
                if fault == "answer lost":
                    break
                writer.write(answer)
        writer.transport.abort()
        to_broker.close()
