"""Runner of one turn: its tasks are sent, its replies are played to the device, its end is reported once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from dispatcher.audio import packets
from dispatcher.catalogue.conversation import Conversation
from dispatcher.dialogue import steps
from dispatcher.dialogue.apology_texts import TOO_MANY, kind_of
from dispatcher.dialogue.emotion import EMOTION_EMOJI
from dispatcher.dialogue.history import Message
from dispatcher.dialogue.turn import Turn
from dispatcher.dialogue_store import memory, recent_history
from dispatcher.dialogue_store.phrase_cache import CACHE_NAME
from dispatcher.front.connection.apology import Kind
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.playback import Player, ReplyOutput
from dispatcher.front.connection.speculative_turn import note_llm_call
from dispatcher.front.connection.turn_report import TurnReport
from dispatcher.front.connection.turn_tasks import TurnTasks, Utterance
from dispatcher.messages import Reply
from dispatcher.routing.rules.overload import OverloadStep

log = structlog.get_logger(__name__)

# Outcome and log event of an apology that is not for a failed turn.
_ENDS: Final[Mapping[Kind, tuple[str, str]]] = {
    "cut": ("cut", "answer cut"),
    "busy": ("turned away", "turn turned away"),
}


class TurnRunner:
    """One exchange with one device, from the end of its speech to the end of the reply.

    More than twelve methods: what may begin, change or end a turn has one each, and others ask two things.
    """

    def __init__(
        self,
        context: FrontContext,
        device: ReplyOutput,
        utterance: Utterance,
        on_end: Callable[[bool], None],
    ) -> None:
        """Prepare the turn; `on_end` is called once, with whether anything was spoken."""
        self._context = context
        self._device = device
        self._utterance = utterance = _with_step(utterance, context)
        self._number = 0
        self._on_end = on_end
        self._turn = _turn_of(utterance, context)
        self._tasks = TurnTasks(context, utterance, self._end_early, self.on_reply)
        lead_frames = context.catalogue.playback.lead_frames
        self._player = Player(context.pacer, device, lead_frames=lead_frames, on_played=self._on_played)
        self._report = TurnReport(context, utterance)

    @property
    def transcript(self) -> str:
        """What the user said, as far as it is known."""
        return self._turn.transcript

    @property
    def is_speaking(self) -> bool:
        """Whether the device has been sent sound: a filler, an answer or an apology."""
        return bool(self._player.clock.sent)

    def start(self) -> None:
        """Send the first task; where there are too many, or the broker is unreachable, an apology follows."""
        ticket, phrase = self._tasks.ticket, self._utterance.phrase
        self._context.turns.add(ticket.turn_id, self)
        if ticket.text:
            self._show_transcript(ticket.text)
        if ticket.overload_step:
            self._report.marks["overload_step"] = ticket.overload_step
            rules = self._context.catalogue.overload
            if refusal := self._context.ladder.refusal(OverloadStep(ticket.overload_step), rules):
                self._end_early(refusal, TOO_MANY)
                return
        self._tasks.start()
        if not phrase:
            self._number = self._context.loads.note_turn(typed=bool(ticket.text))
            return
        # The turn goes on as if an LLM had written the phrase.
        reply = Reply(turn_id=ticket.turn_id, attempt=ticket.attempt, kind="sentence", text=phrase)
        self.on_reply(reply)
        self.on_reply(replace(reply, kind="end", index=1, text=""))

    def on_reply(self, reply: Reply) -> None:
        """Take in a reply of a stage."""
        if reply.text == CACHE_NAME and reply.kind == "audio":
            self._report.count_cached()
        self._do(self._turn.on_reply(reply, self._context.pacer.now()))
        if reply.kind == "transcript" and reply.text and not self._turn.over:
            rules = self._context.catalogue.overload
            if refusal := self._context.ladder.refusal_at("llm", rules, turn=self._number):
                self._end_early(refusal, TOO_MANY)

    def on_clock(self) -> None:
        """Act on a stage that is late."""
        now, loads = self._context.pacer.now(), self._context.loads
        queued_s = loads.queued_s if self._context.catalogue.overload.enabled else {}
        predict = partial(loads.predicted_s, turn=self._number)
        self._do(self._turn.on_clock(now, predict, queued_s=queued_s, unserved_s=loads.unserved_s))

    def cancel(self, *, spoken_over: bool) -> None:
        """Drop the turn at every stage; nothing more is sent of it."""
        self._player.stop()
        self._turn.cancel()
        self._tasks.cancel()
        self._report.outcome = "spoken over" if spoken_over else "device left"
        self._close()

    def _end_early(self, reason: str, error: str = "") -> None:
        """Apologise for all of the answer, unless the turn has ended."""
        if not self._turn.over:
            self._turn.cancel()
            self._finish(steps.Apologise(reason, error))

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
                    self._context.spawn(self._tasks.call_tool(request, self._turn.clock.end_tool))
                case steps.SendAgain() | steps.AskForFiller():
                    self._tasks.send_step(step, said=self.transcript, alive_s=self._turn.clock.alive_s)
                case steps.PlayFiller(packed):
                    self._player.start()
                    texts = self._tasks.phrases.take_filler_text()
                    self._player.add_filler(*texts, *packets.unpack(packed))
                    self._report.mark("filler_ms")
                case steps.Finish() | steps.Apologise() | steps.BreakOff():
                    self._finish(step)

    def _finish(self, step: steps.Finish | steps.Apologise | steps.BreakOff) -> None:
        """Let the reply end, or put an apology in the place of all or the rest of it."""
        if not isinstance(step, steps.Apologise):
            self._report.mark("reply_ready_ms")
        if isinstance(step, steps.Finish):
            self._player.finish()
            return
        kind: Kind = "cut"
        if isinstance(step, steps.Apologise):
            kind = kind_of(step.error, is_tool_done=self._tasks.is_tool_done)
        reason = step.reason.strip() or "a stage failed without a word"
        outcome, event = _ENDS.get(kind, ("apologised", "turn apologised for"))
        log.warning(event, turn=self._tasks.ticket.turn_id, reason=reason)
        self._report.outcome, self._report.reason = outcome, reason
        if kind == "busy":
            self._context.ladder.turned_away += 1
        self._tasks.cancel()
        self._player.start()
        # Of what was cut, the apology is in its language.
        said = " ".join(self._turn.speech.spoken) or self._utterance.phrase or self.transcript
        self._tasks.phrases.apologise(kind, self._player, said=said, on_cached=self._report.count_cached)

    def _show_transcript(self, text: str) -> None:
        if not self._utterance.phrase:  # else it is a wake word, which is Chinese in many an English house
            self._context.apologies.note_language(self._tasks.ticket.device_id, text)
        self._report.mark("transcript_ms")
        # A stock device passes over what it does not know; the talk page draws it.
        self._device.send("stt", text=text, **self._report.end_of_speech)
        self._player.start()

    def _on_played(self) -> None:
        self._report.mark("played_ms")
        spoke = bool(self._turn.speech.spoken) or self._report.outcome != "answered"
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
        if self.transcript and not self._utterance.phrase:
            note_llm_call(context)
        # What was spoken over was not played, so the LLM is not given it as said.
        if self._turn.speech.spoken and answered and not self._utterance.phrase:
            _remember(context, ticket.device_id, self.transcript, answered)
        self._report.reason = self._report.reason or self._turn.ended_because
        self._report.publish(
            said=self.transcript,
            sentences=self._player.sentences,
            clock=self._player.clock,
            timings=self._turn.timings,
        )


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
        text=utterance.ticket.text,
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
