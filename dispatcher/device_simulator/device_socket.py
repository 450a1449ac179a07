"""WebSocket of a device: frames and messages out, with the loss of the connection as one error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp

from dispatcher.device_simulator.framing import Version, wrap
from dispatcher.errors import DispatcherError, FrontError


class DeviceSocket:
    """An open socket whose packets are framed in one version.

    Attributes:
        version: of the framing, both ways.
        loss: why the connection no longer stands; None while it does.
        received_at_s: time of the last frame or message, by the clock of the loop.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, version: Version, frame_ms: int) -> None:
        """Take over a socket that has exchanged hellos."""
        self.version: Version = version
        self.loss: DispatcherError | None = None
        self.received_at_s = 0.0
        self._socket = socket
        self._frame_ms = frame_ms
        self._packets_sent = 0

    async def send_packet(self, packet: bytes) -> None:
        """Send one packet as a frame."""
        timestamp_ms = self._packets_sent * self._frame_ms
        self._packets_sent += 1
        await self.send(wrap(packet, version=self.version, timestamp_ms=timestamp_ms))

    async def send(self, payload: str | bytes) -> None:
        """Send a message or a frame as it is.

        Raises:
            FrontError: the connection is lost.
        """
        try:
            if isinstance(payload, str):
                await self._socket.send_str(payload)
            else:
                await self._socket.send_bytes(payload)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise self.loss or FrontError(f"the connection to the front broke: {error}") from error

    async def received(self) -> AsyncIterator[str | bytes]:
        """Yield messages and frames.

        Raises:
            FrontError: the connection has ended.
        """
        async for message in self._socket:
            self.received_at_s = asyncio.get_running_loop().time()
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                yield message.data
        raise FrontError(f"the front closed the connection (code {self._socket.close_code})")
