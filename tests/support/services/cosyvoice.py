"""DashScope CosyVoice: the key in the handshake, then run-task, continue-task, finish-task, binary speech."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from tests.support.encoded import slices, speech
from tests.support.services.fake_service import HTML, FakeService, die

KEY: Final = "sk-cosyvoice"
# Two for each CJK character, as it bills.
BILLED_CHARACTERS: Final = 14
VOICES: Final = {"cosyvoice-v1": "longxiaochun", "cosyvoice-v2": "longxiaochun_v2"}
"""The voice of each model."""
SLICE_BYTES: Final = 9_601


class FakeCosyVoice(FakeService):
    """One WebSocket path; a fault may also be an error code of the service's own."""

    @property
    def url(self) -> str:
        """The endpoint of an instance."""
        return f"ws://127.0.0.1:{self.port}/api-ws/v1/inference"

    def routes(self) -> list[web.RouteDef]:
        """Serve the one path."""
        return [web.get("/api-ws/v1/inference", self._handle)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization", "").lower() != f"bearer {KEY}":
            return web.json_response({"code": "InvalidApiKey", "message": "Invalid API-key."}, status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        is_over = False
        try:
            is_over = await self._converse(request, socket)
        finally:
            if not is_over:
                self.gone.set()
        return socket

    async def _converse(self, request: web.Request, socket: web.WebSocketResponse) -> bool:
        """Take instructions; return whether the service itself ended it, and not a client that left."""
        step = "run-task"
        async for message in socket:
            asked = message.json()
            self.asked.append(asked)
            if asked["header"]["action"] != step or asked["header"]["streaming"] != "duplex":
                await _tell(socket, asked, "task-failed", error_code="InvalidParameter", error_message=step)
                return True
            step = {"run-task": "continue-task", "continue-task": "finish-task"}.get(step, "")
            if not await self._act(request, socket, asked):
                return True
        return False

    async def _act(self, request: web.Request, socket: web.WebSocketResponse, asked: dict[str, Any]) -> bool:
        """Do what an instruction says; return whether more may come."""
        match asked["header"]["action"]:
            case "run-task":
                return await self._begin(socket, asked)
            case "continue-task":
                return True
        await self.wait_to_go_on()
        pieces = [] if self.fault == "empty" else slices(speech(24_000), SLICE_BYTES)
        for at, piece in enumerate(pieces):
            if self.fault in {"dies", "closes"} and at == 2:
                if self.fault == "dies":
                    die(request)
                return False
            await _tell(socket, asked, "result-generated", output={"sentence": {"words": []}})
            await socket.send_bytes(piece)
        await _tell(socket, asked, "task-finished", output={"sentence": {}}, characters=BILLED_CHARACTERS)
        return False

    async def _begin(self, socket: web.WebSocketResponse, asked: dict[str, Any]) -> bool:
        payload = asked["payload"]
        wanted = {"task_group": "audio", "task": "tts", "function": "SpeechSynthesizer", "input": {}}
        code = self.fault if self.fault[:1].isupper() else ""
        reason = "because of it"
        if self.fault == "quota":
            code = "Throttling.RateQuota"
        if any(payload.get(name) != value for name, value in wanted.items()):
            code = "InvalidParameter"
        elif VOICES.get(payload.get("model")) != payload["parameters"].get("voice"):
            code, reason = "InvalidParameter", "[cosyvoice:]Engine return error code: 418"
        if code:
            await _tell(socket, asked, "task-failed", error_code=code, error_message=reason)
            return False
        if self.fault == "html":
            await socket.send_str(HTML)
            return False
        await _tell(socket, asked, "task-started")
        return True


async def _tell(
    socket: web.WebSocketResponse,
    asked: dict[str, Any],
    event: str,
    *,
    output: dict[str, Any] | None = None,
    characters: int | None = None,
    **header: str,
) -> None:
    whole = {"task_id": asked["header"]["task_id"], "event": event, "attributes": {}, **header}
    usage = {} if characters is None else {"usage": {"characters": characters}}
    await socket.send_json({"header": whole, "payload": {"output": output, **usage} if output else {}})
