"""Runner of one turn: its tasks are sent, its replies are played to the device, its end is reported once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from dispatcher.audio import packets
from dispatcher.catalogue.conversation import Conversation
from dispatcher.dialogue import steps
from dispatcher.dialogue.apology_texts import kind_of
from dispatcher.dialogue.emotion import EMOTION_EMOJI
from dispatcher.dialogue.history import Message
from dispatcher.dialogue.turn import Turn
from dispatcher.dialogue_store import memory, recent_history
from dispatcher.dialogue_store.phrase_cache import CACHE_NAME
from dispatcher.front.connection import apology
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.playback import Player, ReplyOutput
from dispatcher.front.connection.speculative_turn import SpeculativeTurn, note_llm_call
from dispatcher.front.connection.turn_report import TurnReport
from dispatcher.front.connection.turn_tasks import TurnTasks, Utterance
from dispatcher.messages import Language, Reply
from dispatcher.routing.rules.overload import OverloadStep

log = structlog.get_logger(__name__)

_LOGGED: Final = {
    "apologised": "turn apologised for",
    "cut": "answer cut",
    "turned away": "turn turned away",
}


class TurnRunner:
    """One exchange with one device, from the end of its speech to the end of the reply.

    More than twelve methods: each thing that may end a turn has one.

    Attributes:
        transcript: what the user said, as far as it is known.
    """

    def __init__(
        self,
        context: FrontContext,
        device: ReplyOutput,
        utterance: Utterance,
        on_end: Callable[[bool], None],
    ) -> None:
        """Prepare the turn; `on_end` is called once, with whether anything was spoken."""
        utterance = _with_step(utterance, context)
        self.transcript = utterance.ticket.text
        self._context = context
        self._device = device
        self._phrase = utterance.phrase
        self._begun_since_s = utterance.begun.opened_at_s if utterance.begun else None
        self._number = 0
        self._on_end = on_end
        self._turn = _turn_of(utterance, context)
        self._tasks = TurnTasks(context, utterance, self._fail, self.on_reply)
        lead_frames = context.catalogue.playback.lead_frames
        self._player = Player(context.pacer, device, lead_frames=lead_frames, on_played=self._on_played)
        self._report = TurnReport(
            context.pacer.now,
            is_typed=not utterance.recording,
            device_name=utterance.device_name,
            silence_ms=utterance.silence_ms,
            ahead_at=utterance.begun.began_at if isinstance(utterance.begun, SpeculativeTurn) else None,
        )

    @property
    def is_speaking(self) -> bool:
        """Whether the device has been sent sound: a filler, an answer or an apology."""
        return bool(self._player.clock.sent)

    def start(self) -> None:
        """Send the first task; where there are too many, or the broker is unreachable, an apology follows."""
        ticket = self._tasks.ticket
        self._context.turns.add(ticket.turn_id, self)
        if ticket.text:
            self._show_transcript(ticket.text)
        if ticket.overload_step and self._is_turned_away(OverloadStep(ticket.overload_step)):
            return
        if not self._phrase:
            self._tasks.start()
            self._number = self._context.loads.note_turn(typed=bool(ticket.text))
            return
        # The turn goes on as if an LLM had written the phrase.
        self._tasks.speak(self._phrase)
        reply = Reply(turn_id=ticket.turn_id, attempt=ticket.attempt, kind="sentence", text=self._phrase)
        self.on_reply(reply)
        self.on_reply(replace(reply, kind="end", index=1, text=""))

    def on_reply(self, reply: Reply) -> None:
        """Take in a reply of a stage."""
        if reply.text == CACHE_NAME and reply.kind == "audio":
            self._report.count_cached()
        self._do(self._turn.on_reply(reply, self._context.pacer.now()))
        if reply.kind == "transcript" and reply.text and not self._turn.over:
            rules = self._context.catalogue.overload
            self._turn_away(self._context.ladder.refusal_at("llm", rules, turn=self._number))

    def on_clock(self) -> None:
        """Act on a stage that is late."""
        now, loads = self._context.pacer.now(), self._context.loads
        queued_s = loads.queued_s if self._context.catalogue.overload.enabled else {}
        late = self._turn.on_clock(now, self._predicted_s, queued_s=queued_s, unserved_s=loads.unserved_s)
        self._do(late)

    def _predicted_s(self, stage: steps.Stage, begun_s: float) -> float:
        return self._context.loads.predicted_s(stage, begun_s=begun_s, turn=self._number)

    def cancel(self, *, spoken_over: bool) -> None:
        """Drop the turn at every stage; nothing more is sent of it."""
        self._player.stop()
        self._turn.cancel()
        self._tasks.cancel()
        self._report.outcome = "spoken over" if spoken_over else "device left"
        self._close()

    def _is_turned_away(self, step: OverloadStep) -> bool:
        """Report the step that the turn begins on, and return whether there are too many for it."""
        self._report.marks["overload_step"] = int(step)
        self._turn_away(self._context.ladder.refusal(step, self._context.catalogue.overload))
        return self._turn.over

    def _turn_away(self, refusal: str) -> None:
        """Tell the user at once that there are too many, where a reason says so."""
        if refusal:
            self._turn.cancel()
            self._context.ladder.turned_away += 1
            self._apologise(refusal, outcome="turned away", kind="busy")

    def _fail(self, reason: str) -> None:
        if not self._turn.over:
            self._turn.cancel()
            self._do([steps.Apologise(reason)])

    def _do(self, wanted: list[steps.Step]) -> None:
        for step in wanted:
            match step:
                case steps.Play(packed):
                    self._player.add(*packets.unpack(packed))
                    self._report.mark("audio_ready_ms")
                case steps.Subtitle(text):
                    self._player.start()
                    self._player.add(text)
                case steps.ShowTranscript(text):
                    self._show_transcript(text)
                case steps.ShowEmotion(emotion):
                    self._device.send("llm", emotion=emotion, text=EMOTION_EMOJI[emotion])
                case steps.CallTool(request):
                    self._context.spawn(self._tasks.call_tool(request, self._turn.on_tool_ended))
                case steps.SendAgain():
                    self._tasks.send_again(step, transcript=self.transcript, alive_s=self._turn.alive_s)
                case steps.AskForFiller(attempt):
                    said, alive_s = self.transcript, self._turn.alive_s
                    self._tasks.ask_for_filler(attempt, said=said, alive_s=alive_s)
                case steps.PlayFiller(packed):
                    self._player.start()
                    self._player.add_filler(*self._tasks.take_filler_text(), *packets.unpack(packed))
                    self._report.mark("filler_ms")
                case _:
                    self._finish(step)

    def _finish(self, step: steps.Step) -> None:
        match step:
            case steps.Finish():
                self._report.mark("reply_ready_ms")
                self._player.finish()
            case steps.Apologise(reason, error):
                kind = kind_of(error, is_tool_done=self._tasks.is_tool_done)
                self._apologise(reason, outcome="apologised", kind=kind)
            case steps.BreakOff(reason):
                self._report.mark("reply_ready_ms")
                self._apologise(reason, outcome="cut", kind="cut")

    def _show_transcript(self, text: str) -> None:
        self.transcript = text
        if not self._phrase:  # else it is a wake word, which is Chinese in many an English house
            self._context.apologies.note_language(self._tasks.ticket.device_id, text)
        self._report.mark("transcript_ms")
        # A stock device passes over what it does not know; the talk page draws it.
        self._device.send("stt", text=text, **self._report.end_of_speech)
        self._player.start()

    def _apologise(self, reason: str, *, outcome: str, kind: apology.Kind) -> None:
        ticket = self._tasks.ticket
        reason = reason.strip() or "a stage failed without a word"
        log.warning(_LOGGED[outcome], turn=ticket.turn_id, reason=reason)
        self._report.outcome, self._report.reason = outcome, reason
        self._tasks.cancel()
        self._player.start()
        # Of what was cut, the apology is in its language; it is no part of the answer.
        said = " ".join(self._turn.spoken) or self._phrase or self.transcript
        language = self._context.apologies.language(ticket, said=said)
        text, recorded = self._context.apologies.recorded(kind, language, ticket.audio_format)
        is_answer = outcome != "cut"
        if self._context.catalogue.phrase_cache.is_on:
            self._context.spawn(self._say_in_own_voice(text, recorded, language, is_answer=is_answer))
        else:
            self._say(text, recorded, is_answer=is_answer)

    async def _say_in_own_voice(
        self, text: str, recorded: list[bytes], language: Language, *, is_answer: bool
    ) -> None:
        """Apologise in the voice of the persona where the cache has it, else with the recorded phrase."""
        found = await self._tasks.find_phrase(text, language)
        if found.finding == "hit":
            self._report.count_cached()
            recorded = packets.unpack(found.packed)
        self._say(text, recorded, is_answer=is_answer)

    def _say(self, text: str, phrase: list[bytes], *, is_answer: bool) -> None:
        self._player.add(text, *phrase, is_answer=is_answer)
        self._player.finish()

    def _on_played(self) -> None:
        self._report.mark("played_ms")
        spoke = bool(self._turn.spoken) or self._report.outcome != "answered"
        if not spoke:
            self._report.outcome = "nothing said"
        self._close()
        self._on_end(spoke)

    def _close(self) -> None:
        """Remove the turn and report it, once."""
        context, ticket = self._context, self._tasks.ticket
        if not context.turns.remove(ticket.turn_id):
            return
        self._tasks.remove_audio()
        answered = " ".join(self._player.sentences)
        if self.transcript and not self._phrase:
            note_llm_call(context)
        # What was spoken over was not played, so the LLM is not given it as said.
        if self._turn.spoken and self._player.sentences and not self._phrase:
            _remember(context, ticket.device_id, self.transcript, answered)
        self._report.reason = self._report.reason or self._turn.ended_because
        record = self._report.publish(
            context.redis,
            ticket,
            said=self.transcript,
            sentences=len(self._player.sentences),
            clock=self._player.clock,
            timings=self._turn.timings,
            server_id=context.front_id,
            words=(self.transcript, answered) if context.catalogue.console.transcripts else None,
        )
        if context.tracer and ticket.traceparent:
            context.tracer.add_turn(ticket, record, began_s=self._begun_since_s)


def _with_step(utterance: Utterance, context: FrontContext) -> Utterance:
    """Return an utterance whose ticket has the step of overload that its turn begins on."""
    # What is said without an LLM costs no place, and is said on any step.
    if utterance.phrase or not (step := context.ladder.step_of_turn(context.catalogue.overload)):
        return utterance
    return replace(utterance, ticket=replace(utterance.ticket, overload_step=int(step)))


def _turn_of(utterance: Utterance, context: FrontContext) -> Turn:
    """Return the turn of an utterance, by the settings of now."""
    rules = context.catalogue.conversation
    return Turn(
        typed=bool(utterance.ticket.text),
        now=context.pacer.now(),
        stage_timeout_s=rules.stage_timeout_s,
        turn_timeout_s=rules.turn_timeout_s,
        filler_after_s=_filler_delay_s(rules, utterance),
        is_filler_first=utterance.ticket.overload_step >= OverloadStep.FILLER,
    )


def _filler_delay_s(rules: Conversation, utterance: Utterance) -> float:
    """Return after how long a turn gets a filler; infinity where there is none, or the answer is known."""
    return math.inf if utterance.phrase or not rules.filler.after_ms else rules.filler.after_ms / 1000


def _remember(context: FrontContext, device_id: str, said: str, answered: str) -> None:
    """Add an exchange to the history, and to what is kept in memory where the operator wants that."""
    exchange = [Message(role="user", content=said), Message(role="assistant", content=answered)]
    recent_history.remember(context.redis, device_id, exchange)
    if (rules := context.catalogue.conversation.memory).enabled:
        context.spawn(memory.note_exchange(context.redis, device_id, idle_s=rules.idle_s))
