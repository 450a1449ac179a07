"""Connection of a client in the name of a device that is bound to another one: it has to be admitted first.

The device itself stays connected, and nothing of what the client says is recorded, recognised or answered.
An erased flash is the honest case: the firmware has made itself a new Client-Id.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp.web import WebSocketResponse

from dispatcher.front.connection.connected_device import BLOCKED_CODE
from dispatcher.front.connection.device_profile import UNADMITTED, DeviceProfile
from dispatcher.front.connection.device_reader import DeviceReader, MistakeLog
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.playback import Player
from dispatcher.front.connection.protocol import AudioParams, Hello, Listen

log = structlog.get_logger(__name__)

# Long enough for a word and the phrase after it; then it has to connect anew.
UNADMITTED_TIMEOUT_S: Final = 60.0
# How many frames leave ahead: what the oldest firmware holds.
LEAD_FRAMES: Final = 5


class UnadmittedDevice:
    """The connection of a client that is not the device; `serve` lasts until the phrase was played to it."""

    def __init__(
        self,
        context: FrontContext,
        socket: WebSocketResponse,
        writer: DeviceWriter,
        profile: DeviceProfile,
    ) -> None:
        """Take over a prepared socket."""
        self._context = context
        self._writer = writer
        self._profile = profile
        self._audio = AudioParams()
        self._is_manual = False
        self._played = asyncio.Event()
        self._player: Player | None = None
        mistakes = MistakeLog(profile.peer.device_id)
        self._reader = DeviceReader(
            socket, writer, mistakes, idle_timeout_s=UNADMITTED_TIMEOUT_S, is_in_turn=lambda: False
        )

    async def serve(self) -> None:
        """Answer the hello, show and speak the phrase, and close."""
        log.warning(
            "another client came in the name of a device; `dispatcher devices admit` lets it be the device",
            device=self._profile.peer.device_id,
        )
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._read()), loop.create_task(self._played.wait())]
        try:
            await asyncio.wait(tasks, timeout=UNADMITTED_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._player is not None:
                self._player.stop()
        await self._writer.close(code=BLOCKED_CODE, reason=UNADMITTED)

    async def _read(self) -> None:
        """Act on messages; sound is dropped."""
        while (message := await self._reader.read()) is not None:
            match message:
                case Hello() if not self._writer.session_id:
                    self._audio = message.audio_params
                    self._writer.greet(message)
                    self._show((await self._phrase())[0])
                case Listen() if self._writer.session_id:
                    await self._on_listen(message)

    async def _on_listen(self, message: Listen) -> None:
        """Speak where an answer is expected: after push-to-talk at its `stop`, else at once."""
        if message.state == "start" and message.mode == "manual":
            self._is_manual = True
        elif (message.state != "stop" or self._is_manual) and self._player is None:
            await self._speak()

    async def _speak(self) -> None:
        text, packets = await self._phrase()
        self._player = Player(
            self._context.pacer, self._writer, lead_frames=LEAD_FRAMES, on_played=self._on_played
        )
        self._show(text)
        self._player.start()
        self._player.add(text, *packets)
        self._player.finish()

    def _show(self, text: str) -> None:
        self._writer.send("alert", status=text, message=self._profile.peer.device_id, emotion="sad")

    def _on_played(self) -> None:
        self._writer.send("tts", state="stop")
        self._played.set()

    async def _phrase(self) -> tuple[str, list[bytes]]:
        language = await self._profile.language()
        return self._context.apologies.recorded("admit", language, self._audio.format)
