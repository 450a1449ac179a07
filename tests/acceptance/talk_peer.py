"""A server of a few lines behind the talk page: the pages are the real ones, OTA and answers are made up.

It keeps what the page sent, and answers every utterance with the same script.
"""

from __future__ import annotations

import asyncio
import json
import math
from array import array
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from dispatcher.audio.opus import OpusEncoder
from dispatcher.front.http.pages import add_pages
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ
from dispatcher.settings import Settings
from tests.support.waiting import WAIT_TIMEOUT_S

LEAD_FRAMES = 5


@dataclass(kw_only=True)
class Script:
    """How an utterance is answered.

    Attributes:
        transcript: what a spoken utterance is said to have been; typed text comes back as it is.
        sentences: texts and, for each, how many frames of 60 ms it sounds.
        garbage: text and bytes that are no protocol come between the frames.
        thinking_s: how long the answer lets wait.
    """

    transcript: str = "What time is it?"
    emotion: str = "happy"
    sentences: tuple[tuple[str, int], ...] = (("It is half past nine.", 12), ("The sun is out.", 12))
    garbage: bool = False
    thinking_s: float = 0.15


@dataclass(kw_only=True)
class Connection:
    """One socket of the page: its query, its hello, and what came through it."""

    query: dict[str, str]
    socket: web.WebSocketResponse
    messages: list[dict[str, Any]] = field(default_factory=list)
    packets: list[bytes] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Task[None] | None = None

    @property
    def hello(self) -> dict[str, Any]:
        return self.messages[0]

    @property
    def audio_format(self) -> str:
        return str(self.hello["audio_params"]["format"])

    def said(self) -> list[str]:
        """Return the messages after the hello as short words, such as `listen start`."""
        return [" ".join(filter(None, (m["type"], m.get("state")))) for m in self.messages[1:]]

    async def comes_to_say(self, *words: str) -> None:
        """Wait until the messages after the hello are these."""
        try:
            async with asyncio.timeout(WAIT_TIMEOUT_S):
                while self.said() != list(words):
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(f"the page said {self.said()}, expected {list(words)}") from None


class TalkPeer:
    """Serves the pages, tells the address, answers.

    Attributes:
        url: where the page is; known once it is served.
        ota: headers of the OTA requests.
        connections: sockets that got their hello, oldest first.
        says_hello: whether a page's hello is answered.
        forgets: whether a new dialogue is begun when the page asks for one.
        settings: those of the front that the pages are told of.
    """

    def __init__(self) -> None:
        self.url = ""
        self.script = Script()
        self.ota: list[dict[str, str]] = []
        self.connections: list[Connection] = []
        self.says_hello = True
        self.forgets = True
        self.settings = Settings(front_public_url="http://devices.example:8000")
        self._greeted = asyncio.Event()

    @property
    def last(self) -> Connection:
        return self.connections[-1]

    def application(self) -> web.Application:
        app = web.Application()
        add_pages(app, self.settings)
        app.router.add_get("/readyz", self._ready)
        app.router.add_post("/xiaozhi/ota/", self._tell)
        app.router.add_get("/xiaozhi/v1/", self._talk)
        app.on_shutdown.append(self._hang_up)
        return app

    async def is_greeted(self) -> None:
        """Wait for the first hello of a page."""
        async with asyncio.timeout(WAIT_TIMEOUT_S):
            await self._greeted.wait()

    async def _ready(self, _request: web.Request) -> web.Response:
        stages = {"asr": "ok", "llm": "no worker", "tts": "no instance ready: tts-1 (refused)"}
        checks = {"broker": "ok", "replies": "ok"}
        return web.json_response({"status": "ready", "devices": 3, "checks": checks, "stages": stages})

    async def _tell(self, request: web.Request) -> web.Response:
        self.ota.append(dict(request.headers))
        # Another host, as behind a proxy: the page has to come to its own.
        address = {"url": "ws://devices.example:8000/xiaozhi/v1/", "token": "secret.123"}
        return web.json_response({"websocket": address})

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = Connection(query=dict(request.query), socket=socket)
        async for message in socket:
            if message.type is web.WSMsgType.TEXT:
                await self._hear(connection, json.loads(message.data))
            elif message.type is web.WSMsgType.BINARY:
                connection.packets.append(message.data)
        await _cancel(connection)
        return socket

    async def _hear(self, connection: Connection, message: dict[str, Any]) -> None:
        connection.messages.append(message)
        connection.changed.set()
        match message:
            case {"type": "hello"}:
                self._greeted.set()
                if not self.says_hello:
                    return
                await connection.socket.send_json(_hello(connection.audio_format))
                self.connections.append(connection)
            case {"type": "listen", "state": "stop"}:
                self._answer(connection, self.script.transcript)
            case {"type": "listen", "state": "start", "mode": "realtime"}:
                # As if speech had ended 900 ms ago, and that was clear after 224 ms of silence.
                spoken = {"speech_ended_ms_ago": 900, "silence_ms": 224}
                self._answer(connection, self.script.transcript, spoken)
            case {"type": "listen", "state": "detect", "text": str(text)}:
                self._answer(connection, text)
            case {"type": "new_dialogue"} if self.forgets:
                await connection.socket.send_json({"type": "new_dialogue"})
            case {"type": "abort"}:
                await _cancel(connection)
                await connection.socket.send_json({"type": "tts", "state": "stop"})

    def _answer(self, connection: Connection, text: str, spoken: Mapping[str, int] | None = None) -> None:
        connection.answer = asyncio.create_task(_play(connection, self.script, text, spoken or {}))

    def hears_speech(self) -> None:
        """Find speech in the open microphone: an answer under way ends, and what was said is answered."""
        assert self.last.answer is not None
        self.last.answer.cancel()
        self.last.answer = asyncio.create_task(_barge_in(self.last, self.script))

    async def _hang_up(self, _app: web.Application) -> None:
        for connection in self.connections:
            await connection.socket.close()


@asynccontextmanager
async def serve(peer: TalkPeer, *, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[TalkPeer]:
    """Serve the peer; port 0 takes a free one, and a peer that served before comes back where it was."""
    runner = web.AppRunner(peer.application(), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    peer.url = f"http://{host}:{runner.addresses[0][1]}/"
    try:
        yield peer
    finally:
        await runner.cleanup()


def tone(frequency_hz: float, *, rate_hz: int, seconds: float) -> bytes:
    """Return a tone that swells and fades three times a second, as s16le mono."""
    count = int(rate_hz * seconds)
    loudness = (0.5 - 0.5 * math.cos(2 * math.pi * 3 * at / rate_hz) for at in range(count))
    wave = (math.sin(2 * math.pi * frequency_hz * at / rate_hz) for at in range(count))
    return array("h", (int(12_000 * a * b) for a, b in zip(loudness, wave, strict=True))).tobytes()


def _hello(audio_format: str) -> dict[str, Any]:
    return {
        "type": "hello",
        "transport": "websocket",
        "session_id": "6d6e0a52-5f0b-4f7a-9d5c-1f6f0d3b7a11",
        "audio_params": {
            "format": audio_format,
            "sample_rate": REPLY_RATE_HZ,
            "channels": 1,
            "frame_duration": REPLY_FRAME_MS,
        },
    }


async def _barge_in(connection: Connection, script: Script) -> None:
    await connection.socket.send_json({"type": "tts", "state": "stop"})
    await _play(connection, script, "No, tomorrow.", {"speech_ended_ms_ago": 800, "silence_ms": 704})


async def _play(connection: Connection, script: Script, text: str, spoken: Mapping[str, int]) -> None:
    """Send the answer as the front does: announced, 100 ms later the first frame, five frames ahead."""
    send = connection.socket.send_json
    await asyncio.sleep(script.thinking_s)
    await send({"type": "stt", "text": text, **spoken})
    await send({"type": "llm", "emotion": script.emotion})
    await send({"type": "tts", "state": "start"})
    await asyncio.sleep(0.1)
    clock = asyncio.get_running_loop().time
    encode = _encoder(connection.audio_format)
    begun, sent = clock(), 0
    for sentence, frames in script.sentences:
        await send({"type": "tts", "state": "sentence_start", "text": sentence})
        for _ in range(frames):
            await asyncio.sleep(begun + (sent - LEAD_FRAMES) * REPLY_FRAME_MS / 1000 - clock())
            if script.garbage:
                await connection.socket.send_str("{not json")
                await connection.socket.send_bytes(b"\xff\xff\xff")
            await connection.socket.send_bytes(encode())
            sent += 1
    await asyncio.sleep(begun + sent * REPLY_FRAME_MS / 1000 - clock())
    await send({"type": "tts", "state": "stop"})


def _encoder(audio_format: str) -> Callable[[], bytes]:
    frame = tone(330, rate_hz=REPLY_RATE_HZ, seconds=REPLY_FRAME_MS / 1000)
    if audio_format == "pcm":
        return lambda: frame
    encoder = OpusEncoder(REPLY_RATE_HZ, REPLY_FRAME_MS)
    return lambda: encoder.encode(frame)


async def _cancel(connection: Connection) -> None:
    if connection.answer is not None:
        connection.answer.cancel()
        with suppress(asyncio.CancelledError, ConnectionResetError):
            await connection.answer
