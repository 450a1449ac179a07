"""Connection of one device: its messages are read, and each goes to the part that acts on it."""

from __future__ import annotations

import structlog
from aiohttp.web import WebSocketResponse

from dispatcher.dialogue.goodbye import is_goodbye
from dispatcher.dialogue_store import recent_history
from dispatcher.front.connection import protocol
from dispatcher.front.connection.connected_device import DRAINED, DRAINED_CODE
from dispatcher.front.connection.device_profile import DeviceProfile
from dispatcher.front.connection.device_reader import DeviceReader, MistakeLog
from dispatcher.front.connection.device_tool_client import DeviceToolClient
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.listen_controller import ListenController
from dispatcher.front.connection.microphone import Microphone
from dispatcher.messages import Activity

log = structlog.get_logger(__name__)


class DeviceConnection:
    """The connection of one device; `serve` lasts as long as its socket.

    Attributes:
        writer: to its socket; when that is closed, `serve` drops the turn under way.
    """

    def __init__(
        self,
        context: FrontContext,
        socket: WebSocketResponse,
        writer: DeviceWriter,
        profile: DeviceProfile,
    ) -> None:
        """Take over a prepared socket."""
        self._context = context
        self._device_id = profile.peer.device_id
        self.writer = writer
        self._profile = profile
        self._mistakes = MistakeLog(self._device_id)
        self._listen = ListenController(context, writer, profile, self._mistakes, self._after_turn)
        self._reader = DeviceReader(
            socket,
            writer,
            self._mistakes,
            idle_timeout_s=context.settings.idle_timeout_s,
            is_in_turn=lambda: self._listen.turn is not None,
        )

    async def serve(self) -> None:
        """Act on messages until the device has disconnected, in place of an older connection of it."""
        devices = self._context.devices
        before = devices.get(self._device_id)
        devices[self._device_id] = self
        if before is not None:
            await before.writer.close(code=1000, reason=b"replaced by a newer connection")
        try:
            while (message := await self._reader.read()) is not None:
                await self._act_on(message)
        finally:
            if devices.get(self._device_id) is self:
                del devices[self._device_id]
            self._listen.close()

    @property
    def received_at_s(self) -> float:
        """Unix time of the last frame."""
        return self._reader.received_at_s

    @property
    def activity(self) -> Activity:
        """What the device does at this moment."""
        return self._listen.activity

    @property
    def awaits_answer(self) -> bool:
        """Whether it has begun something that it awaits the answer of."""
        return self._listen.awaits_answer

    def invalidate_profile(self) -> None:
        """Read the registry again with the next turn."""
        self._profile.invalidate()

    async def _act_on(self, message: protocol.DeviceMessage | bytes) -> None:
        match message:
            case bytes():
                await self._listen.on_packet(message)
            case protocol.Hello():
                self._on_hello(message)
            case protocol.Listen():
                await self._listen.on_listen(message)
            case protocol.Abort():
                await self._listen.abort()
            case protocol.Mcp():
                if self._listen.tools is not None:
                    self._listen.tools.on_payload(message.payload)
            case protocol.NewDialogue():
                if self._listen.turn is not None:
                    await self._listen.abort()
                self._context.spawn(self._begin_dialogue())
            case other:
                self._mistakes.note(f"message not used: {other.type}")

    def _on_hello(self, hello: protocol.Hello) -> None:
        """Answer at once, and only the first."""
        if self.writer.session_id:
            return
        self.writer.greet(hello)
        rules = self._context.catalogue.conversation
        self._listen.microphone = Microphone(hello.audio_params, rules, self._context.pause_judge)
        self._profile.mark_connected()
        log.debug("device connected", device=self._device_id, version=self.writer.version)
        if hello.features.mcp:
            redis, send = self._context.redis, self.writer.send_mcp
            self._listen.tools = DeviceToolClient(redis, send, device_id=self._device_id)
            self._listen.tools.start()

    def _after_turn(self, said: str) -> None:
        if self._context.status.draining:
            # Before it begins another turn, which this front could not end.
            self._context.spawn(self.writer.close(code=DRAINED_CODE, reason=DRAINED))
        elif said:
            self._context.spawn(self._end_after_goodbye(said))

    async def _end_after_goodbye(self, said: str) -> None:
        """Close the connection where the user took leave; a stock device goes to sleep then."""
        persona = await self._profile.persona()
        names = (persona.name, *persona.wake_words)
        if is_goodbye(said, persona.goodbyes, names=names) and self._listen.turn is None:
            await self.writer.close(code=1000, reason=b"goodbye")

    async def _begin_dialogue(self) -> None:
        await recent_history.clear(self._context.redis, self._device_id)
        self.writer.send("new_dialogue")
