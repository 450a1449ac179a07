"""Listen controller of a device: utterances are opened and ended, and each becomes a turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dispatcher.dialogue.goodbye import plain
from dispatcher.dialogue.persona import Character
from dispatcher.dialogue.session import Command, Phase, Session
from dispatcher.errors import AudioError
from dispatcher.front.connection.connected_device import BLOCKED_CODE
from dispatcher.front.connection.device_profile import DeviceProfile
from dispatcher.front.connection.device_reader import MistakeLog
from dispatcher.front.connection.device_tool_client import DeviceToolClient
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.head_start import HeadStart
from dispatcher.front.connection.microphone import Microphone
from dispatcher.front.connection.protocol import AudioParams, Listen
from dispatcher.front.connection.turn_runner import TurnRunner
from dispatcher.front.connection.turn_tasks import BegunUtterance, Utterance
from dispatcher.messages import Activity

OnAnswered = Callable[[str], None]


class ListenController:
    """Controller of one device's microphone and of its one turn.

    Attributes:
        microphone: records as the device said in its hello.
        turn: the one under way.
        tools: of the device, once it said that it has some.
    """

    def __init__(
        self,
        context: FrontContext,
        writer: DeviceWriter,
        profile: DeviceProfile,
        mistakes: MistakeLog,
        on_turn_end: OnAnswered,
    ) -> None:
        """Begin idle; `on_turn_end` gets what the user said, or nothing where nothing was spoken."""
        self.turn: TurnRunner | None = None
        self.tools: DeviceToolClient | None = None
        self._context = context
        self._writer = writer
        self._profile = profile
        self._mistakes = mistakes
        self._on_turn_end = on_turn_end
        self._session = Session()
        self.microphone = Microphone(AudioParams(), context.catalogue.conversation, context.pause_judge)
        self._head_start = HeadStart(context, profile)

    @property
    def activity(self) -> Activity:
        """What the device does; a microphone that is on while a reply is spoken waits for a barge-in."""
        if self.turn is not None:
            return "speaking" if self.turn.is_speaking else "answering"
        return "listening" if self._session.records else ""

    @property
    def awaits_answer(self) -> bool:
        """Whether the device has begun something that it awaits the answer of.

        A microphone that is on and finds no speech, as in auto and realtime, has begun nothing.
        """
        begun = not self._session.watches_speech or self.microphone.in_speech
        # The answer is owed from the end of the utterance on, a moment before there is a turn.
        answering = self._session.phase is Phase.ANSWERING
        return answering or (self._session.records and begun)

    async def on_packet(self, packet: bytes) -> None:
        """Record a packet of sound; speech in it may begin or end an utterance."""
        if not self._session.records:
            return
        dropped, watches_speech = self.microphone.dropped, self._session.watches_speech
        event = self.microphone.add(packet, watch_speech=watches_speech)
        if self.microphone.dropped > dropped:
            self._mistakes.note("packet dropped", size_bytes=len(packet))
        match event:
            case "speech started":
                await self._obey(self._session.speech_started())
            case "speech ended":
                await self._obey(self._session.listen_stop())
            case "full":
                limit_s = self._context.catalogue.conversation.max_utterance_s
                self._mistakes.note("utterance too long", limit_s=limit_s)
                await self._obey(self._session.listen_stop())
        if self._session.is_uttered(hears_speech=self.microphone.in_speech):
            await self._head_start.follow(self.microphone, self.tools, may_pause=watches_speech)

    async def on_listen(self, message: Listen) -> None:
        """Act on a `listen` message: the microphone went on or off, or text came."""
        match message.state:
            case "start":
                await self._obey(self._session.listen_start(message.mode))
                await self._head_start.prefill(self.tools, self.microphone.params)
                if self._session.watches_speech:
                    try:
                        await self.microphone.load_speech_model()
                    except AudioError as error:  # none is installed
                        self._mistakes.note("end of speech cannot be found", reason=str(error))
            case "stop":
                await self._obey(self._session.listen_stop())
            case "detect":
                await self._on_text(message.text.strip())

    async def abort(self) -> None:
        """End the reply under way: the user wants silence."""
        await self._obey(self._session.abort())

    def close(self) -> None:
        """Drop what is under way: the device has disconnected."""
        self._head_start.discard()
        self._head_start.end_prefill()
        if self.turn is not None:
            self.turn.cancel(spoken_over=False)
        if self.tools is not None:
            self.tools.close()

    async def _on_text(self, text: str) -> None:
        """Take typed text as an utterance; a wake word announces one, and may be greeted.

        A client that typed a wake word waits for an end, which a stock device that is not speaking ignores.
        """
        persona = await self._profile.persona()
        if not is_wake_word(text, persona):
            await self._obey(self._session.typed() if text else [], text)
        elif persona.greeting:
            await self._obey(self._session.greet(), text, persona.greeting)
        else:
            await self._obey(self._session.abort())
            await self._head_start.prefill(self.tools, self.microphone.params)

    async def _obey(self, commands: list[Command], text: str = "", greeting: str = "") -> None:
        for command in commands:
            match command:
                case Command.OPEN_UTTERANCE:
                    self._head_start.discard()
                    self.microphone.open()
                case Command.SEND_UTTERANCE:
                    begun = self._head_start.take(self.microphone)
                    silence_ms = self.microphone.ended_silence_ms
                    recording = tuple(self.microphone.take())
                    await self._start_turn(recording=recording, begun=begun, silence_ms=silence_ms)
                case Command.SEND_TEXT | Command.SEND_GREETING:
                    await self._start_turn(text=text, phrase=greeting)
                case Command.CANCEL_TURN:
                    if self.turn is not None:
                        self.turn.cancel(spoken_over=True)
                        self.turn = None
                case Command.SAY_STOP:
                    self._writer.send("tts", state="stop")
        if self._session.phase is not Phase.LISTENING:
            self._head_start.discard()

    async def _start_turn(
        self,
        *,
        recording: tuple[bytes, ...] = (),
        begun: BegunUtterance | None = None,
        silence_ms: int = 0,
        text: str = "",
        phrase: str = "",
    ) -> None:
        known = await self._profile.registered()
        refusal = self._profile.refusal(known)
        if begun is not None and (refusal or not recording):
            begun.discard()
        if refusal:
            await self._writer.close(code=BLOCKED_CODE, reason=refusal)
        elif not recording and not text:
            self._end_turn(spoke=False)
        else:
            timeout_s = self._context.catalogue.conversation.turn_timeout_s
            ticket = await self._profile.new_ticket(self.microphone.params, timeout_s=timeout_s, text=text)
            if begun is not None:
                first = begun.ticket
                ticket = replace(
                    ticket, turn_id=first.turn_id, tool_list=first.tool_list, traceparent=first.traceparent
                )
            said = Utterance(
                ticket=ticket, device_name=known.name, recording=recording, silence_ms=silence_ms
            )
            self._run(replace(said, phrase=phrase, begun=begun, tools=self.tools))

    def _run(self, utterance: Utterance) -> None:
        def on_end(spoke: bool) -> None:  # noqa: FBT001  as a runner calls it
            if not utterance.phrase:
                self._head_start.mark_read()
            self._end_turn(spoke=spoke)

        if not utterance.phrase:  # which has no LLM read the prompt
            self._head_start.end_prefill()
        self.turn = TurnRunner(self._context, self._writer, utterance, on_end)
        self.turn.start()

    def _end_turn(self, *, spoke: bool) -> None:
        said, self.turn = self.turn.transcript if self.turn else "", None
        for command in self._session.turn_ended(spoke=spoke):
            if command is Command.SAY_STOP:
                self._writer.send("tts", state="stop")
            else:
                self.microphone.open()
        self._on_turn_end(said if spoke else "")


def is_wake_word(text: str, persona: Character) -> bool:
    """Return whether a text is a wake word of the persona, whatever its case, spaces and punctuation."""
    said = plain(text)
    return any(said == plain(word) for word in persona.wake_words)
