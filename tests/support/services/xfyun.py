"""iFlytek's streaming TTS: it verifies the signature, as the documents say, and answers JSON with base64."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from email.utils import parsedate_to_datetime
from typing import Any, Final

from aiohttp import web

from tests.support.encoded import slices, speech
from tests.support.services.fake_service import HTML, FakeService, die

APP_ID: Final = "a1b2c3d4"
KEY: Final = "0123456789abcdef0123456789abcdef"
SECRET: Final = "an-api-secret"
CLOCK_SKEW_S: Final = 300
SLICE_BYTES: Final = 6_400
_PARTS: Final = re.compile(
    r'api_key="(?P<key>[^"]+)", ?algorithm="hmac-sha256", ?'
    r'headers="host date request-line", ?signature="(?P<signature>[^"]+)"'
)


class FakeXfyun(FakeService):
    """One WebSocket path; a fault may also be a code of the service's own."""

    @property
    def url(self) -> str:
        """The endpoint of an instance."""
        return f"ws://127.0.0.1:{self.port}/v2/tts"

    def routes(self) -> list[web.RouteDef]:
        """Serve the one path."""
        return [web.get("/v2/tts", self._handle)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        refusal = _refusal(request)
        if refusal:
            return web.json_response({"message": refusal[1]}, status=refusal[0])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        message = await socket.receive()
        if message.type is web.WSMsgType.TEXT:
            asked = message.json()
            self.asked.append(asked)
            await self.wait_to_go_on()
            await self._answer(request, socket, asked)
            await socket.close()
        return socket

    async def _answer(
        self, request: web.Request, socket: web.WebSocketResponse, asked: dict[str, Any]
    ) -> None:
        code = _wrong_request(asked) or (11201 if self.fault == "quota" else 0)
        code = int(self.fault) if self.fault.isdigit() else code
        if code:
            await socket.send_json({"code": code, "message": "because of it", "sid": "tts000", "data": None})
            return
        if self.fault == "html":
            await socket.send_str(HTML)
            return
        pieces = [] if self.fault == "empty" else slices(speech(16_000), SLICE_BYTES)
        for at, piece in enumerate(pieces):
            if self.fault in {"dies", "closes"} and at == 2:
                if self.fault == "dies":
                    die(request)
                return
            audio = base64.b64encode(piece).decode()
            await socket.send_json(_said(audio[:-3] if self.fault == "truncated" else audio, status=1))
        await socket.send_json(_said("", status=2))


def _said(audio: str, *, status: int) -> dict[str, Any]:
    data = {"audio": audio, "ced": "14", "status": status}
    return {"code": 0, "message": "success", "sid": "tts000", "data": data}


def _refusal(request: web.Request) -> tuple[int, str] | None:
    """Return status and words for a handshake whose signature is missing, late or wrong."""
    query = request.query
    if "authorization" not in query:
        return 401, "Unauthorized"
    parts = _PARTS.fullmatch(base64.b64decode(query["authorization"]).decode())
    if parts is None or not {"date", "host"} <= query.keys():
        return 401, "HMAC signature cannot be verified"
    if parts["key"] != KEY:
        return 401, "HMAC signature cannot be verified: fail to retrieve credential"
    if abs(parsedate_to_datetime(query["date"]).timestamp() - time.time()) > CLOCK_SKEW_S:
        return 403, "HMAC signature cannot be verified, a valid date or x-date header is required"
    signed = f"host: {request.host}\ndate: {query['date']}\nGET {request.path} HTTP/1.1"
    right = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(base64.b64decode(parts["signature"]), right):
        return 401, "HMAC signature does not match"
    return None


def _wrong_request(asked: dict[str, Any]) -> int:
    """Return the code for a request that breaks the documents, or 0."""
    if asked.get("common", {}).get("app_id") != APP_ID:
        return 10313
    business, data = asked.get("business", {}), asked.get("data", {})
    wanted = {"aue": "raw", "auf": "audio/L16;rate=16000", "tte": "UTF8"}
    if any(business.get(name) != value for name, value in wanted.items()) or not business.get("vcn"):
        return 10163
    text = base64.b64decode(data.get("text", ""))
    return 0 if data.get("status") == 2 and 0 < len(text) < 8_000 else 10109
