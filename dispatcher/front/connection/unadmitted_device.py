"""A client in the name of a device that is bound to another one: it hears that it has to be admitted.

The device itself stays connected, and nothing of what the client says is recorded, recognised or answered.
An erased flash is the honest case: the firmware has made itself a new Client-Id.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Final

import structlog
from aiohttp import WSMsgType, web

from dispatcher.errors import ProtocolError
from dispatcher.front.admission.peer import read_version
from dispatcher.front.connection import frames, protocol
from dispatcher.front.connection.device_profile import BLOCKED_CODE, UNADMITTED, DeviceProfile
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.playback import Player
from dispatcher.front.connection.protocol import AudioParams, Hello, Listen
from dispatcher.front.connection.rate_limiter import for_messages

log = structlog.get_logger(__name__)

# Long enough for a word and the phrase after it; then it has to connect anew.
CONNECTION_TIMEOUT_S: Final = 60.0
# How many frames leave ahead: what the oldest firmware holds.
LEAD_FRAMES: Final = 5


class UnadmittedDevice:
    """The connection of a client that is not the device; `serve` lasts until it has heard so."""

    def __init__(
        self, context: FrontContext, socket: web.WebSocketResponse, writer: DeviceWriter, who: DeviceProfile
    ) -> None:
        """Take over a prepared socket."""
        self._context = context
        self._socket = socket
        self._writer = writer
        self._who = who
        self._audio = AudioParams()
        self._is_manual = False
        self._messages = for_messages()
        self._heard = asyncio.Event()
        self._player: Player | None = None

    async def serve(self) -> None:
        """Answer the hello, show and speak the phrase, and close."""
        log.warning(
            "another client came in the name of a device; `dispatcher devices admit` lets it be the device",
            device=self._who.peer.device_id,
        )
        reading = asyncio.get_running_loop().create_task(self._read())
        hearing = asyncio.get_running_loop().create_task(self._heard.wait())
        try:
            await asyncio.wait(
                [reading, hearing], timeout=CONNECTION_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            reading.cancel()
            hearing.cancel()
            await asyncio.gather(reading, hearing, return_exceptions=True)
            if self._player is not None:
                self._player.stop()
        await self._socket.close(code=BLOCKED_CODE, message=UNADMITTED)

    async def _read(self) -> None:
        while self._writer.open:
            frame = await self._socket.receive()
            if frame.type is WSMsgType.BINARY:
                await self._on_binary(frame.data)
            elif frame.type is WSMsgType.TEXT:
                await self._on_text(frame.data)
            else:
                return

    async def _on_binary(self, frame: bytes) -> None:
        """Read a message in a binary frame; sound is dropped."""
        try:
            payload, is_json = frames.unpack(self._writer.version, frame)
        except ProtocolError:
            return
        if is_json:
            await self._on_text(payload)

    async def _on_text(self, raw: str | bytes) -> None:
        await self._messages.wait()
        try:
            message = protocol.parse(raw)
        except ProtocolError:
            return
        match message:
            case Hello() if not self._writer.session_id:
                await self._on_hello(message)
            case Listen() if self._writer.session_id:
                await self._on_listen(message)

    async def _on_hello(self, hello: Hello) -> None:
        if hello.version in frames.VERSIONS:
            self._writer.version = read_version(hello.version)
        self._who.keep_seat()
        self._audio = hello.audio_params
        self._writer.session_id = str(uuid.uuid4())
        self._writer.send_text(protocol.hello_answer(self._writer.session_id, hello.audio_params.format))
        self._show((await self._phrase())[0])

    async def _on_listen(self, message: Listen) -> None:
        """Speak where an answer is expected: after push-to-talk at its `stop`, else at once."""
        if message.state == "start" and message.mode == "manual":
            self._is_manual = True
        elif message.state != "stop" or self._is_manual:
            await self._speak()

    async def _speak(self) -> None:
        if self._player is not None:
            return
        text, packets = await self._phrase()
        self._player = Player(
            self._context.pacer,
            lead_frames=LEAD_FRAMES,
            send_packet=self._writer.send_packet,
            send_subtitle=lambda said: self._writer.send("tts", state="sentence_start", text=said),
            on_played=self._on_played,
        )
        self._show(text)
        self._writer.send("tts", state="start")
        self._player.start()
        self._player.add(text, *packets)
        self._player.finish()

    def _show(self, text: str) -> None:
        self._writer.send("alert", status=text, message=self._who.peer.device_id, emotion="sad")

    def _on_played(self) -> None:
        self._writer.send("tts", state="stop")
        self._heard.set()

    async def _phrase(self) -> tuple[str, list[bytes]]:
        return self._context.apologies.recorded("admit", await self._who.language(), self._audio.format)
