"""A front of a few lines that speaks the protocol: the peer for tests of the device in software."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from dispatcher.device_simulator import Address, DeviceOptions, SimulatedDevice, connect, discover
from dispatcher.device_simulator.framing import Version, unwrap, wrap

SESSION_ID = "8f2a9a37-1a52-4b1e-9d0f-0e6c1c1f7a10"
VERSIONS: dict[str, Version] = {"1": 1, "2": 2, "3": 3}
HELLO = {
    "type": "hello",
    "transport": "websocket",
    "session_id": SESSION_ID,
    "audio_params": {"format": "opus", "sample_rate": 24000, "channels": 1, "frame_duration": 60},
}


class SmallFront:
    """Remembers what a device sent, and answers each utterance with two sentences of three frames.

    Attributes:
        hello: what it says first; None says nothing.
        status: HTTP status of the upgrade; 101 lets the device in.
        answers_after: packets after which an utterance is over where no `listen stop` comes.
        sentences: of each answer, three frames for each.
        silent: takes utterances and never answers.
        closes: closes the connection instead of answering.
        ota_answer: what OTA says; None names this front, a token and framing 3.
    """

    def __init__(self) -> None:
        self.hello: dict[str, Any] | None = HELLO
        self.status = 101
        self.answers_after = 5
        self.silent = False
        self.sentences: tuple[str, ...] = ("It is noon.", "Bon appetit!")
        self.closes = False
        self.port = 0
        self.ota_answer: dict[str, Any] | None = None
        self.headers: dict[str, str] = {}
        self.ota_headers: dict[str, str] = {}
        self.received: list[dict[str, Any]] = []
        self.packets: list[bytes] = []
        self.close_code: int | None = None
        self.gone = asyncio.Event()
        self._version: Version = 1

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/xiaozhi/v1/"

    @property
    def ota_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/xiaozhi/ota/"

    def states(self) -> list[str]:
        """Return the states of the `listen` messages, in order."""
        return [message["state"] for message in self.received if message["type"] == "listen"]

    async def answer_ota(self, request: web.Request) -> web.Response:
        self.ota_headers = dict(request.headers)
        default = {"websocket": {"url": self.url, "token": "secret", "version": 3}}
        return web.json_response(default if self.ota_answer is None else self.ota_answer)

    async def accept(self, request: web.Request) -> web.StreamResponse:
        self.headers = dict(request.headers)
        if self.status != 101:
            return web.Response(status=self.status)
        self._version = VERSIONS[request.headers["Protocol-Version"]]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._take(socket, json.loads(message.data))
            elif message.type is aiohttp.WSMsgType.BINARY:
                await self._take_packet(socket, unwrap(message.data, version=self._version))
        self.close_code = socket.close_code
        self.gone.set()
        return socket

    async def _take(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        self.received.append(message)
        if message["type"] == "hello" and self.hello is not None:
            await socket.send_json(self.hello)
        elif message["type"] == "abort":
            await socket.send_json({"type": "tts", "state": "stop"})
        elif message["type"] == "listen" and message["state"] in {"stop", "detect"}:
            await self._answer(socket, message.get("text", "what time is it"))

    async def _take_packet(self, socket: web.WebSocketResponse, packet: bytes) -> None:
        self.packets.append(packet)
        modes = [message.get("mode") for message in self.received if message.get("state") == "start"]
        if modes and modes[-1] != "manual" and len(self.packets) % self.answers_after == 0:
            await self._answer(socket, "what time is it")

    async def _answer(self, socket: web.WebSocketResponse, transcript: str) -> None:
        if self.closes:
            await socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)
        if self.silent or self.closes:
            return
        # One frame too early: the device does not speak yet and has to refuse it.
        await socket.send_bytes(wrap(b"early", version=self._version))
        await socket.send_json({"type": "stt", "text": transcript})
        await socket.send_json({"type": "llm", "emotion": "happy"})
        await socket.send_json({"type": "tts", "state": "start"})
        for sentence in self.sentences:
            await socket.send_json({"type": "tts", "state": "sentence_start", "text": sentence})
            for number in range(3):
                await socket.send_bytes(wrap(b"%d" % number, version=self._version))
        await socket.send_json({"type": "tts", "state": "stop"})


@asynccontextmanager
async def serving(front: SmallFront) -> AsyncGenerator[SmallFront]:
    app = web.Application()
    app.router.add_get("/xiaozhi/v1/", front.accept)
    app.router.add_post("/xiaozhi/ota/", front.answer_ota)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    front.port = runner.addresses[0][1]
    try:
        yield front
    finally:
        await runner.cleanup()


class Bench:
    """Opens devices on one front."""

    def __init__(self, front: SmallFront, session: aiohttp.ClientSession) -> None:
        self._front = front
        self._session = session

    def device(self, **options: Any) -> AbstractAsyncContextManager[SimulatedDevice]:
        """Return the context of a connected device with these options."""
        on_event = options.pop("on_event", None)
        address = Address(url=self._front.url)
        return connect(self._session, address, DeviceOptions(**options), on_event=on_event)

    async def discover(self, **options: Any) -> Address:
        """Return what OTA tells a device with these options."""
        return await discover(self._session, self._front.ota_url, DeviceOptions(**options))


async def utterance(count: int) -> AsyncGenerator[bytes]:
    """Yield packets as fast as they are taken; the pace has its own test."""
    for number in range(count):
        yield b"packet %d" % number
