"""Frames of one device read as messages and sound, no faster than one connection may send them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiohttp import WSMessage, WSMsgType, web

from dispatcher.errors import ProtocolError
from dispatcher.front.connection import frames, protocol
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.rate_limiter import for_messages, for_sound

MAX_LOGGED_MISTAKES: Final = 20
_HELLO_HEAD_BYTES: Final = 4096


class MistakeLog:
    """Log of what is wrong with one device: one line for each kind."""

    def __init__(self, device_id: str) -> None:
        """Log nothing yet."""
        self._log = structlog.get_logger(__name__).bind(device=device_id)
        self._logged: set[str] = set()

    def note(self, event: str, **fields: Any) -> None:
        """Log a mistake unless one of its kind was logged before."""
        if event not in self._logged and len(self._logged) < MAX_LOGGED_MISTAKES:
            self._logged.add(event)
            self._log.info(event, **fields)


class DeviceReader:
    """Reader of one device's socket.

    Attributes:
        received_at_s: Unix time of the last frame, or of the connection.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        writer: DeviceWriter,
        mistakes: MistakeLog,
        *,
        idle_timeout_s: float,
        is_in_turn: Callable[[], bool],
    ) -> None:
        """Read nothing yet.

        Args:
            socket: prepared.
            writer: of the same device; it has the framing, and whether the device said hello.
            mistakes: for frames and messages that cannot be used.
            idle_timeout_s: how long the device may send nothing.
            is_in_turn: asked then; a device that waits for its answer is not idle.
        """
        self.received_at_s = time.time()
        self._socket = socket
        self._writer = writer
        self._mistakes = mistakes
        self._idle_timeout_s = idle_timeout_s
        self._is_in_turn = is_in_turn
        self._message_rate, self._sound_rate = for_messages(), for_sound()

    async def read(self) -> protocol.DeviceMessage | bytes | None:
        """Return the next message, or a packet of sound; None at the end of the connection.

        A plain TCP end (1006) is as good as a goodbye.
        """
        while self._writer.is_open:
            frame = await self._receive()
            if frame is None or frame.type not in {WSMsgType.BINARY, WSMsgType.TEXT}:
                return None
            self.received_at_s = time.time()
            read = self._read_text if frame.type is WSMsgType.TEXT else self._read_binary
            found = await read(frame.data)
            if found is not None:
                return found
        return None

    async def _receive(self) -> WSMessage | None:
        while True:
            try:
                return await self._socket.receive(timeout=self._idle_timeout_s)
            except TimeoutError:
                if not self._is_in_turn():
                    await self._writer.close(code=1000, reason=b"idle")
                    return None

    async def _read_binary(self, frame: bytes) -> protocol.DeviceMessage | bytes | None:
        if not self._writer.session_id:
            self._mistakes.note("binary before hello", size_bytes=len(frame))
            return None
        try:
            payload, is_json = frames.unpack(self._writer.version, frame)
        except ProtocolError as error:
            self._mistakes.note("frame dropped", reason=str(error))
            return None
        if is_json:
            return await self._read_text(payload)
        if await self._sound_rate.wait():
            self._mistakes.note("sound comes much faster than it is spoken, it is read later")
        return payload

    async def _read_text(self, raw: str | bytes) -> protocol.DeviceMessage | None:
        if await self._message_rate.wait():
            self._mistakes.note("too many messages, they are read later")
        try:
            return protocol.parse(raw)
        except ProtocolError as error:
            self._mistakes.note("message dropped", reason=str(error))
        # A hello with a wrong field still waits for its answer.
        head = raw[:_HELLO_HEAD_BYTES]
        head = head if isinstance(head, bytes) else head.encode(errors="replace")
        is_hello = not self._writer.session_id and b'"hello"' in head
        return protocol.Hello(type="hello") if is_hello else None
