"""One device on its WebSocket: its frames in, the session's commands out."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import structlog
from aiohttp import WSMsgType
from aiohttp.web import WebSocketResponse as Socket

from dispatcher.dialogue.goodbye import is_goodbye
from dispatcher.dialogue.session import Command, Phase, Session
from dispatcher.dialogue_store import recent_history
from dispatcher.errors import AudioError, ProtocolError
from dispatcher.front.admission.peer import read_version
from dispatcher.front.connection import frames, protocol
from dispatcher.front.connection.device_profile import BLOCKED_CODE, DeviceProfile
from dispatcher.front.connection.device_tool_client import DeviceTools
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.microphone import Microphone
from dispatcher.front.connection.rate_limiter import for_messages, for_sound
from dispatcher.front.connection.streaming_utterance import StreamingUtterance, StreamingUtterances
from dispatcher.front.connection.turn_runner import TurnRunner
from dispatcher.front.connection.utterance import Utterance, empty_utterance
from dispatcher.front.connection.wake_word import is_wake_word
from dispatcher.front.http.drain import send_away


class DeviceConnection:
    """The connection of one device; `serve` lasts as long as its socket."""

    def __init__(self, hub: FrontContext, socket: Socket, wire: DeviceWriter, who: DeviceProfile) -> None:
        """Take over a prepared socket."""
        self.peer = who.peer
        self.turn: TurnRunner | None = None
        self._hub = hub
        self._socket = socket
        self._wire = wire
        self._session = Session()
        self._microphone = Microphone(protocol.AudioParams(), hub.catalogue.conversation)
        self._uplinks = StreamingUtterances(hub, who.peer.device_id, who.language)
        self._said_hello = False
        self._tools: DeviceTools | None = None
        self._who = who
        self._typed = ""
        self._complaints: set[str] = set()
        self._messages, self._sound = for_messages(), for_sound()
        self._log = structlog.get_logger(__name__).bind(device=self.peer.device_id)

    async def serve(self) -> None:
        """Read until the device is gone; a plain TCP end (1006) is as good as a goodbye."""
        before = self._hub.devices.get(self.peer.device_id)
        self._hub.devices[self.peer.device_id] = self
        if before is not None:
            await before.close(code=1000, reason=b"replaced by a newer connection")
        try:
            await self._read()
        finally:
            if self._hub.devices.get(self.peer.device_id) is self:
                del self._hub.devices[self.peer.device_id]
            self._uplinks.discard()
            if self.turn is not None:
                self.turn.cancel(spoken_over=False)
                self.turn = None
            if self._tools is not None:
                self._tools.close()

    @property
    def is_busy(self) -> bool:
        """Whether it is in a turn or listening."""
        return self.turn is not None or self._session.records

    @property
    def is_owed(self) -> bool:
        """Whether it has begun something that it awaits the answer of.

        A microphone that is on and hears nobody, as in auto and realtime, has begun nothing.
        """
        begun = not self._session.watches_speech or self._microphone.hears_speech
        # The answer is owed from the end of the utterance on, a moment before there is a turn.
        answering = self._session.phase is Phase.ANSWERING
        return answering or (self._session.records and begun)

    async def close(self, *, code: int, reason: bytes) -> None:
        """Close the socket; the turn under way is dropped by `serve`."""
        await self._socket.close(code=code, message=reason)

    def tell(self, kind: str, **fields: str) -> None:
        """Send the device a message."""
        self._wire.send(kind, **fields)

    def reread(self) -> None:
        """Ask again what is known of the device."""
        self._who.reread()

    async def _read(self) -> None:
        while self._wire.open:
            try:
                frame = await self._socket.receive(timeout=self._hub.settings.idle_timeout_s)
            except TimeoutError:
                if self.turn is not None:
                    continue
                await self.close(code=1000, reason=b"idle")
                return
            self._hub.note_heard(self.peer.device_id)
            if frame.type is WSMsgType.BINARY:
                await self._on_binary(frame.data)
            elif frame.type is WSMsgType.TEXT:
                await self._on_text(frame.data)
            else:
                return

    async def _on_binary(self, frame: bytes) -> None:
        if not self._said_hello:
            self._complain("binary before hello", size_bytes=len(frame))
            return
        try:
            payload, is_json = frames.unpack(self._wire.version, frame)
        except ProtocolError as error:
            self._complain("frame dropped", reason=str(error))
            return
        if is_json:
            await self._on_text(payload)
        elif self._session.records:
            await self._on_audio(payload)

    async def _on_audio(self, packet: bytes) -> None:
        if await self._sound.wait():
            self._complain("sound comes much faster than it is spoken, it is read later")
        heard = self._microphone.add(packet, watch_speech=self._session.watches_speech)
        if self._microphone.dropped:
            self._complain("packet dropped", size_bytes=len(packet))
        match heard:
            case "speech started":
                await self._obey(self._session.speech_started())
            case "speech ended":
                await self._obey(self._session.speech_ended())
            case "full":
                self._complain("utterance too long", limit_s=self._hub.catalogue.conversation.max_utterance_s)
                await self._obey(self._session.speech_ended())
        if self._session.is_uttered(hears_speech=self._microphone.hears_speech):
            await self._uplinks.follow(self._microphone)

    async def _on_text(self, raw: str | bytes) -> None:
        if await self._messages.wait():
            self._complain("too many messages, they are read later")
        try:
            message = protocol.parse(raw)
        except ProtocolError as error:
            self._complain("message dropped", reason=str(error))
            # A hello with a wrong field still waits for its answer.
            head = raw[:4096] if isinstance(raw, bytes) else raw[:4096].encode()
            if not self._said_hello and b'"hello"' in head:
                self._on_hello(protocol.Hello(type="hello"))
            return
        await self._use(message)

    async def _use(self, message: protocol.DeviceMessage) -> None:
        match message:
            case protocol.Hello():
                self._on_hello(message)
            case protocol.Listen():
                await self._on_listen(message)
            case protocol.Abort():
                await self._obey(self._session.abort())
            case protocol.Mcp():
                if self._tools is not None:
                    self._tools.on_payload(message.payload)
            case protocol.NewDialogue():
                await self._obey(self._session.abort() if self.turn else [])
                self._hub.spawn(self._begin_dialogue())
            case other:
                self._complain(f"message not used: {other.type}")

    def _on_hello(self, hello: protocol.Hello) -> None:
        """Answer at once, and only the first."""
        if self._said_hello:
            return
        self._said_hello = True
        if hello.version in frames.VERSIONS:
            self._wire.version = read_version(hello.version)
        self._microphone = Microphone(hello.audio_params, self._hub.catalogue.conversation)
        self._wire.session_id = str(uuid.uuid4())
        self._wire.send_text(protocol.hello_answer(self._wire.session_id, hello.audio_params.format))
        self._who.mark_connected()
        self._log.debug("device connected", version=self._wire.version, audio=hello.audio_params.format)
        if hello.features.mcp:
            self._tools = DeviceTools(self._hub.redis, self._wire.send_mcp, device_id=self.peer.device_id)
            self._tools.start()

    async def _on_listen(self, message: protocol.Listen) -> None:
        match message.state:
            case "start":
                await self._obey(self._session.listen_start(message.mode))
                await self._prepare_to_listen()
            case "stop":
                await self._obey(self._session.listen_stop())
            case "detect":
                await self._on_detect(message.text.strip())

    async def _prepare_to_listen(self) -> None:
        """Get ready to find the end of speech, where the device will not tell it."""
        if self._session.watches_speech:
            try:
                await self._microphone.learn_speech()
            except AudioError as error:  # no speech model is installed
                self._complain("end of speech cannot be found", reason=str(error))

    async def _on_detect(self, text: str) -> None:
        """Take typed text as an utterance; a wake word announces one, and may be greeted.

        A client that typed a wake word waits for an end, which a stock device that is not speaking ignores.
        """
        who = await self._who.character()
        self._typed = text
        if not is_wake_word(text, who.wake_words):
            await self._obey(self._session.typed() if text else [])
        elif who.greeting:
            await self._obey(self._session.greet())
        else:
            await self._obey(self._session.abort())

    async def _obey(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Command.OPEN_UTTERANCE:
                    self._uplinks.discard()
                    self._microphone.open()
                case Command.SEND_UTTERANCE:
                    uplink = self._uplinks.take(self._microphone)
                    await self._start_turn(recording=tuple(self._microphone.take()), uplink=uplink)
                case Command.SEND_TEXT:
                    await self._start_turn(text=self._typed)
                case Command.SEND_GREETING:
                    await self._start_turn(text=self._typed, phrase=(await self._who.character()).greeting)
                case Command.CANCEL_TURN:
                    if self.turn is not None:
                        self.turn.cancel(spoken_over=True)
                        self.turn = None
                case Command.SAY_STOP:
                    self._wire.send("tts", state="stop")
        if self._session.phase is not Phase.LISTENING:
            self._uplinks.discard()

    async def _start_turn(
        self,
        *,
        recording: tuple[bytes, ...] = (),
        uplink: StreamingUtterance | None = None,
        text: str = "",
        phrase: str = "",
    ) -> None:
        known = await self._who.registered()
        refusal = self._who.refusal(known)
        if uplink is not None and (refusal or not recording):
            uplink.discard()
        if refusal:
            await self.close(code=BLOCKED_CODE, reason=refusal)
        elif recording or text:
            said = await empty_utterance(self._who, known, self._microphone.params)
            self._run(replace(said, recording=recording, uplink=uplink, text=text, phrase=phrase))
        else:
            self._on_turn_end(spoke=False)

    def _run(self, utterance: Utterance) -> None:
        self.turn = TurnRunner(self._hub, self._wire, utterance, lambda spoke: self._on_turn_end(spoke=spoke))
        self.turn.tools = self._tools
        self.turn.start()

    def _on_turn_end(self, *, spoke: bool) -> None:
        said, self.turn = self.turn.said if self.turn else "", None
        for command in self._session.turn_ended(spoke=spoke):
            if command is Command.SAY_STOP:
                self._wire.send("tts", state="stop")
            else:
                self._microphone.open()
        if self._hub.draining:
            # Before it begins another turn, which this front could not end.
            self._hub.spawn(send_away(self))
        elif spoke and said:
            self._hub.spawn(self._end_after_goodbye(said))

    async def _end_after_goodbye(self, said: str) -> None:
        """Close the connection where the user took leave; a stock device goes to sleep then."""
        who = await self._who.character()
        if is_goodbye(said, who.goodbyes, names=(who.name, *who.wake_words)) and self.turn is None:
            await self.close(code=1000, reason=b"goodbye")

    async def _begin_dialogue(self) -> None:
        await recent_history.clear(self._hub.redis, self.peer.device_id)
        self._wire.send("new_dialogue")

    def _complain(self, event: str, **fields: Any) -> None:
        """Log what is wrong with this device, once for each kind."""
        if event not in self._complaints and len(self._complaints) < 20:
            self._complaints.add(event)
            self._log.info(event, **fields)
