"""Microsoft's Edge read-aloud service: two text messages in, MP3 in binary ones with headers out."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from tests.support.encoded import encoded, slices
from tests.support.services.fake_service import HTML, FakeService, die

PATH: Final = "/consumer/speech/synthesize/readaloud/edge/v1"
SLICE_BYTES: Final = 1_440


class FakeEdge(FakeService):
    """One WebSocket path; a fault may also be a status, such as `403`."""

    @property
    def url(self) -> str:
        """What the library takes for its service."""
        return f"ws://127.0.0.1:{self.port}{PATH}?TrustedClientToken=token"

    def routes(self) -> list[web.RouteDef]:
        """Serve the one path."""
        return [web.get(PATH, self._handle)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        needed = {"TrustedClientToken", "ConnectionId", "Sec-MS-GEC", "Sec-MS-GEC-Version"}
        if self.fault.isdigit() or not needed <= request.query.keys():
            return web.Response(status=int(self.fault or "403"), text="no")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        config = await socket.receive()
        if config.type is not web.WSMsgType.TEXT:
            return socket
        ssml = await socket.receive_str()
        assert "Path:speech.config" in config.data
        assert "Path:ssml" in ssml
        self.asked.append({"config": config.data, "ssml": ssml})
        await self.wait_to_go_on()
        await self._answer(request, socket)
        await socket.close()
        return socket

    async def _answer(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        if self.fault == "html":
            await socket.send_str(HTML)
            return
        await socket.send_str(_text("turn.start", "{}"))
        await socket.send_str(_text("response", "{}"))
        pieces = [] if self.fault == "empty" else slices(encoded("mp3", "libmp3lame", 24_000), SLICE_BYTES)
        for at, piece in enumerate(pieces):
            if self.fault in {"dies", "closes"} and at == 2:
                if self.fault == "dies":
                    die(request)
                return
            sent = HTML.encode() if self.fault == "no-mp3" else piece
            await socket.send_bytes(_audio(sent, content_type="audio/mpeg"))
        # The service ends its speech with an empty message without a type.
        await socket.send_bytes(_audio(b"", content_type=""))
        await socket.send_str(_text("turn.end", "{}"))


def _text(path: str, body: str) -> str:
    return f"X-RequestId:0\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n{body}"


def _audio(piece: bytes, *, content_type: str) -> bytes:
    kind = f"Content-Type:{content_type}\r\n" if content_type else ""
    head = f"X-RequestId:0\r\n{kind}X-StreamId:0\r\nPath:audio\r\n".encode()
    return len(head).to_bytes(2, "big") + head + piece
