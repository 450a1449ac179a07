"""Volcano's binary TTS, version 1: frames with a header of one word, speech in numbered slices."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any, Final

from aiohttp import web

from tests.support.encoded import slices, speech
from tests.support.services.fake_service import HTML, FakeService, die

APP_ID: Final = "1234567890"
TOKEN: Final = "an-access-token"
SLICE_BYTES: Final = 9_600


class FakeVolcano(FakeService):
    """One WebSocket path; a fault may also be a code with words, such as `3003 quota exceeded`."""

    @property
    def url(self) -> str:
        """The endpoint of an instance."""
        return f"ws://127.0.0.1:{self.port}/api/v1/tts/ws_binary"

    def routes(self) -> list[web.RouteDef]:
        """Serve the one path."""
        return [web.get("/api/v1/tts/ws_binary", self._handle)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer; {TOKEN}":
            return web.Response(
                status=401, text="authenticate request: load grant: requested grant not found"
            )
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        message = await socket.receive()
        if message.type is web.WSMsgType.BINARY:
            asked = _read(message.data)
            self.asked.append(asked)
            await self.wait_to_go_on()
            await self._answer(request, socket, asked)
            await socket.close()
        return socket

    async def _answer(
        self, request: web.Request, socket: web.WebSocketResponse, asked: dict[str, Any]
    ) -> None:
        refused = _wrong_request(asked) or (
            "3003 quota exceeded for types: concurrency" if self.fault == "quota" else self.fault
        )
        if refused[:1].isdigit():
            code, _, words = refused.partition(" ")
            await socket.send_bytes(error_frame(int(code), words))
            return
        if self.fault == "html":
            await socket.send_bytes(HTML.encode())
            return
        # First it only says that it heard.
        await socket.send_bytes(b"\x11\xb0\x10\x00")
        pieces = [b""] if self.fault == "empty" else slices(speech(24_000), SLICE_BYTES)
        for at, piece in enumerate(pieces, start=1):
            if self.fault in {"dies", "closes"} and at == 3:
                if self.fault == "dies":
                    die(request)
                return
            await socket.send_bytes(audio_frame(piece, number=-at if at == len(pieces) else at))


def audio_frame(piece: bytes, *, number: int) -> bytes:
    """Return a slice of speech; the last one has a number below 0."""
    flags = 0b0011 if number < 0 else 0b0001
    return bytes([0x11, 0xB0 | flags, 0x00, 0x00]) + struct.pack(">iI", number, len(piece)) + piece


def error_frame(code: int, words: str) -> bytes:
    """Return an error, its words compressed."""
    body = gzip.compress(json.dumps({"message": words}).encode())
    return b"\x11\xf0\x11\x00" + struct.pack(">II", code, len(body)) + body


def _read(frame: bytes) -> dict[str, Any]:
    assert frame[:4] == b"\x11\x10\x10\x00", frame[:4]
    (size,) = struct.unpack_from(">I", frame, 4)
    assert len(frame) == 8 + size
    asked: dict[str, Any] = json.loads(frame[8:])
    return asked


def _wrong_request(asked: dict[str, Any]) -> str:
    """Return the code for a request that breaks the documents, or nothing."""
    app, audio, request = asked.get("app", {}), asked.get("audio", {}), asked.get("request", {})
    if app.get("appid") != APP_ID or not app.get("token") or not app.get("cluster"):
        return "3001 load grant: requested grant not found"
    if not audio.get("voice_type"):
        return "3050 no such voice"
    good = request.get("operation") == "submit" and request.get("reqid") and request.get("text")
    return "" if good and asked.get("user", {}).get("uid") else "3001 invalid request"
