"""One turn under way: sent to the queues, its replies played to the device, its end told once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import structlog

from dispatcher import chains
from dispatcher.audio import packets
from dispatcher.dialogue import turn as steps
from dispatcher.dialogue.emotion import EMOTION_EMOJI
from dispatcher.dialogue.history import Message
from dispatcher.dialogue_store import memory, recent_history
from dispatcher.errors import StateError
from dispatcher.front.connection import apology, filler, turn_report
from dispatcher.front.connection.device_tool_client import DeviceTools, carry_out
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.playback import Player
from dispatcher.front.connection.utterance import Utterance, ticket_of
from dispatcher.messages import Reply, TurnTicket
from dispatcher.redis_client import keys
from dispatcher.turn_store import utterance_audio

log = structlog.get_logger(__name__)
OnEnd = Callable[[bool], None]
_LOGGED = {"apologised": "turn apologised for", "cut": "answer cut"}


class TurnRunner:
    """One exchange with one device, from the end of its speech to the end of ours.

    Attributes:
        tools: those of the device that holds the turn, the only ones that it can call; set before the start.
    """

    tools: DeviceTools | None = None
    _done = _started = False

    def __init__(self, hub: FrontContext, wire: DeviceWriter, utterance: Utterance, on_end: OnEnd) -> None:
        """Prepare the turn; `on_end` is called once, with whether anything was spoken."""
        rules = hub.catalogue.conversation
        self.ticket = ticket_of(utterance, hub, rules.turn_timeout_s)
        self._hub = hub
        self._wire = wire
        self._recording = utterance.recording
        self._uplink = utterance.uplink
        self._on_end = on_end
        self._began_at = hub.pacer.now()
        self._turn = steps.Turn(
            typed=bool(utterance.text),
            now=self._began_at,
            stage_timeout_s=rules.stage_timeout_s,
            filler_after_s=filler.delay_s(rules.filler, is_known=bool(utterance.phrase)),
        )
        self._player = Player(
            hub.pacer,
            lead_frames=hub.catalogue.playback.lead_frames,
            send_packet=wire.send_packet,
            send_subtitle=self._subtitle,
            on_played=self._played,
        )
        self._marks: dict[str, float] = {}
        self._heard: list[str] = []
        self._outcome = "answered"
        self._reason = ""
        self._text = utterance.text
        self._phrase = utterance.phrase
        self._filler = ""

    @property
    def said(self) -> str:
        """Transcript so far."""
        return self._text

    def start(self) -> None:
        """Send the turn on its way; where the broker is away or flooded, an apology follows."""
        self._hub.turns[self.ticket.turn_id] = self
        claim: Awaitable[object] | None = None
        if self.ticket.text:
            self._do([steps.ShowTranscript(self.ticket.text)])
        elif self._uplink is None:
            claim = self._claim()
        if self._phrase:
            self._speak_phrase()
        else:
            self._hub.spawn(self._send_first(claim))

    def _speak_phrase(self) -> None:
        """Say what needs no LLM: the turn goes on as if one had written it."""
        redis = self._hub.redis
        speak = partial(chains.synthesize, redis, self.ticket, index=0, text=self._phrase)
        self._hub.spawn(self._send(speak))
        turn_id, attempt = self.ticket.turn_id, self.ticket.attempt
        self.on_reply(Reply(turn_id=turn_id, attempt=attempt, kind="sentence", text=self._phrase))
        self.on_reply(Reply(turn_id=turn_id, attempt=attempt, kind="end", index=1))

    def on_reply(self, reply: Reply) -> None:
        """Take in a reply of a stage."""
        self._do(self._turn.on_reply(reply, self._hub.pacer.now()))

    def on_clock(self) -> None:
        """Look after a stage that is late."""
        self._do(self._turn.on_clock(self._hub.pacer.now()))

    def cancel(self, *, spoken_over: bool) -> None:
        """Drop the turn at every stage; nothing more is sent of it."""
        self._player.stop()
        self._turn.cancel()
        try:
            utterance_audio.cancel(self._hub.redis, self.ticket.turn_id)
        except StateError as error:  # its tasks run to their end then, and what they send is dropped here
            log.warning("turn cannot be cancelled in workers", turn=self.ticket.turn_id, reason=str(error))
        self._close("spoken over" if spoken_over else "device left")

    def _claim(self) -> Awaitable[object]:
        return utterance_audio.put_claim(self._hub.cache, self.ticket.turn_id, packets.pack(self._recording))

    async def _send_first(self, claim: Awaitable[object] | None) -> None:
        if self.tools is not None:
            self.ticket = replace(self.ticket, tool_list=await self.tools.list_name())
        if self._turn.over:
            return
        if self._uplink is None:
            await self._send(partial(chains.start_turn, self._hub.redis, self.ticket), after=claim)
        else:
            self._uplink.finish(self.ticket)

    async def _send(
        self, send: Callable[[], Awaitable[int]], *, after: Awaitable[object] | None = None
    ) -> None:
        try:
            if after is not None:
                await after
            length = await send()
        except StateError as error:
            self._fail(str(error))
            return
        if length > self._hub.settings.queue_limit:
            self._fail(f"queue has {length} tasks, at most {self._hub.settings.queue_limit} are let in")

    def _fail(self, reason: str) -> None:
        if not self._turn.over:
            self._turn.cancel()
            self._do([steps.Apologise(reason)])

    def _do(self, wanted: list[steps.Step]) -> None:
        for step in wanted:
            match step:
                case steps.Play(packed):
                    self._player.add(*packets.unpack(packed))
                    self._mark("audio_ready_ms")
                case steps.Subtitle(text):
                    self._start_speaking()
                    self._player.add(text)
                case steps.ShowTranscript(text):
                    self._show_transcript(text)
                case steps.ShowEmotion(emotion):
                    self._wire.send("llm", emotion=emotion, text=EMOTION_EMOJI[emotion])
                case steps.CallTool(request):
                    self._hub.spawn(self._call_tool(request))
                case steps.SendAgain():
                    self._send_again(step)
                case steps.AskForFiller(attempt):
                    self._filler = filler.ask(self._hub, self._ticket_of(attempt), said=self._text)
                case steps.PlayFiller(packed):
                    self._play_filler(packed)
                case _:
                    self._finish(step)

    def _finish(self, step: steps.Step) -> None:
        match step:
            case steps.Finish():
                self._mark("reply_ready_ms")
                self._player.finish()
            case steps.Apologise(reason):
                self._apologise(reason, outcome="apologised", kind="done" if self._done else "sorry")
            case steps.BreakOff(reason):
                self._mark("reply_ready_ms")
                self._apologise(reason, outcome="cut", kind="cut")

    def _show_transcript(self, text: str) -> None:
        self._text = text
        if not self._phrase:  # else it is a wake word, which is Chinese in many an English house
            self._hub.apologies.heard(self.ticket.device_id, text)
        self._mark("transcript_ms")
        self._wire.send("stt", text=text)
        self._start_speaking()

    def _play_filler(self, packed: bytes) -> None:
        self._start_speaking()
        shown, self._filler = [filler.Aside(self._filler)] if self._filler else [], ""
        self._player.add_filler(*shown, *packets.unpack(packed))
        self._mark("filler_ms")

    def _ticket_of(self, attempt: int) -> TurnTicket:
        """Return the ticket of another sending; the time that the LLM spent thinking does not count."""
        deadline_at_s = self.ticket.deadline_at_s + self._turn.alive_s
        return replace(self.ticket, attempt=attempt, deadline_at_s=deadline_at_s)

    def _subtitle(self, text: str) -> None:
        if not isinstance(text, filler.Aside):
            self._heard.append(text)
        self._wire.send("tts", state="sentence_start", text=text)

    def _start_speaking(self) -> None:
        if not self._started:
            self._started = True
            self._wire.send("tts", state="start")
            self._player.start()

    def _send_again(self, late: steps.SendAgain) -> None:
        event = "stage lost with its worker, sent again" if late.is_lost else "stage late, sent again"
        log.warning(event, turn=self.ticket.turn_id, stage=late.stage, attempt=late.attempt)
        ticket = self._ticket_of(late.attempt)
        if late.stage == "tts":
            work = chains.synthesize(self._hub.redis, ticket, index=late.index, text=late.text)
        else:
            text = self._text if late.stage == "llm" else ""
            ticket = replace(ticket, spoken=late.text, spoken_count=late.index)
            # Whatever became of the stream of an utterance: this time the whole of it goes the common way.
            claim = None if text or self._uplink is None else self._claim()
            work = self._repeat(replace(ticket, text=text), after=claim)
        self._hub.spawn(work)

    async def _repeat(self, ticket: TurnTicket, *, after: Awaitable[object] | None) -> int:
        if after is not None:
            await after
        return await chains.start_turn(self._hub.redis, ticket)

    async def _call_tool(self, request: str) -> None:
        done = await carry_out(self._hub.redis, self.tools, request)
        self._done = self._done if done is None else done
        self._turn.on_tool_ended(self._hub.pacer.now())

    def _apologise(self, reason: str, *, outcome: str, kind: apology.Kind) -> None:
        reason = reason.strip() or "a stage failed without a word"
        log.warning(_LOGGED[outcome], turn=self.ticket.turn_id, reason=reason)
        self._outcome, self._reason = outcome, reason
        # What may still be queued or at work for it is for nobody.
        utterance_audio.cancel(self._hub.redis, self.ticket.turn_id)
        self._start_speaking()
        # Of what was cut, the apology is in its language; it is no part of the answer.
        said = " ".join(self._turn.spoken) or self._phrase or self._text
        text, phrase = self._hub.apologies.phrase(self.ticket, said=said, kind=kind)
        self._player.add(filler.Aside(text) if outcome == "cut" else text, *phrase)
        self._player.finish()

    def _played(self) -> None:
        self._mark("played_ms")
        spoke = bool(self._turn.spoken) or self._outcome != "answered"
        self._close(self._outcome if spoke else "nothing said")
        self._on_end(spoke)

    def _close(self, outcome: str) -> None:
        turn_id = self.ticket.turn_id
        if not self._hub.end_turn(turn_id):
            return
        self._hub.cache.send_nowait("UNLINK", keys.claim(turn_id), keys.utterance(turn_id))
        if self._turn.spoken and self._heard and not self._phrase:
            # What was spoken over was not heard, so the LLM is not told that it was said.
            heard = " ".join(self._heard)
            said = [Message(role="user", content=self._text), Message(role="assistant", content=heard)]
            recent_history.remember(self._hub.redis, self.ticket.device_id, said)
            self._note_for_memory()
        self._summarise(outcome)

    def _note_for_memory(self) -> None:
        """Let what was said be remembered, where the operator wants that."""
        if (rules := self._hub.catalogue.conversation.memory).enabled:
            noted = memory.note_exchange(self._hub.redis, self.ticket.device_id, idle_s=rules.idle_s)
            self._hub.spawn(noted)

    def _summarise(self, outcome: str) -> None:
        """Tell the whole turn, once."""
        if self._player.first_frame_at is not None:
            self._marks["first_audio_ms"] = self._since_began(self._player.first_frame_at)
        told = turn_report.Summary(
            outcome=outcome,
            reason=self._reason or self._turn.ended_because,
            said=self._text,
            typed=not self._recording,
            lasted_s=self._hub.pacer.now() - self._began_at,
            sentences=len(self._heard),
            frames=self._player.sent,
            gaps=self._player.gaps,
            marks=self._marks,
            timings=self._turn.timings,
        )
        name = self._hub.names.get(self.ticket.device_id, "")
        turn_report.tell(self._hub.redis, self.ticket, told, server_id=self._hub.front_id, name=name)

    def _mark(self, name: str) -> None:
        self._marks.setdefault(name, self._since_began(self._hub.pacer.now()))

    def _since_began(self, at: float) -> float:
        return round((at - self._began_at) * 1000, 1)
