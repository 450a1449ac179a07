"""One turn as the front sees it: replies come in any order, speech goes out in one, stages are late or lost.

A turn is executed at least once and spoken at most once. Sentences and audio are taken from the
first sending of a stage that delivers them; what a second sending repeats is dropped.

`speech_order` puts sentences and audio in order, `stage_attempts` counts sendings, `stage_clock` knows
what is late, `filler` the phrase that is spoken meanwhile, and `turn_recovery` the way on after a fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, cast

from dispatcher.dialogue.emotion import Emotion
from dispatcher.dialogue.filler import FILLER_INDEX, Filler
from dispatcher.dialogue.speech_order import SpeechOrder
from dispatcher.dialogue.stage_attempts import StageAttempts
from dispatcher.dialogue.stage_clock import StageClock
from dispatcher.dialogue.steps import (
    Apologise,
    AskForFiller,
    BreakOff,
    CallTool,
    Finish,
    SendAgain,
    ShowEmotion,
    ShowTranscript,
    Stage,
    Step,
    Subtitle,
)
from dispatcher.dialogue.turn_recovery import TurnRecovery
from dispatcher.messages import Reply, ReplyKind, Service


def _unknown(_: Stage, __: float) -> float:
    return 0.0


_NO_QUEUE: Final[Mapping[Service, float]] = {}
_STAGES: Final[Mapping[ReplyKind, Stage]] = {"transcript": "asr", "audio": "tts"}
_NO_SPEECH: Final = "tts: no sentence could be spoken"


class Turn:
    """State machine of one turn. Every method takes the time and returns the steps to take now.

    More than twelve methods: one for each event of a turn, and questions of the front about it.

    Attributes:
        transcript: of the utterance, once it is known.
        timings: facts that the stages reported.
        over: the turn has ended; nothing of it is taken in any more.
        ended_because: why the reply was ended before its model did; empty where it was not.
    """

    def __init__(
        self,
        *,
        typed: bool,
        now: float,
        stage_timeout_s: float,
        turn_timeout_s: float = math.inf,
        filler_after_s: float = math.inf,
        is_filler_first: bool = False,
    ) -> None:
        """Start waiting: for the transcript, or for the first sentence when the text was typed."""
        self.transcript = ""
        self.timings: dict[str, str | float] = {}
        self.over = False
        self.ended_because = ""
        self._clock = StageClock(now, stage_timeout_s)
        self._ends_at = now + turn_timeout_s
        self._filler = Filler(now, filler_after_s, is_first=is_filler_first)
        self._attempts = StageAttempts("llm" if typed else "asr")
        self._stage_since: tuple[Stage, float] = (self._attempts.stage, now)
        self._speech = SpeechOrder()
        self._recovery = TurnRecovery(self._attempts, self._speech)

    @property
    def late_at(self) -> float:
        """Time at which the stage that is waited for counts as late."""
        return self._clock.late_at

    @property
    def alive_s(self) -> float:
        """Time that the LLM spent thinking, which counts for no deadline."""
        return self._clock.alive_s

    @property
    def spoken(self) -> list[str]:
        """Sentences whose audio was handed over, for the history and the log."""
        return self._speech.spoken

    def on_reply(self, reply: Reply, now: float) -> list[Step]:
        """Take in a reply of a stage."""
        if self.over:
            return []
        if reply.index == FILLER_INDEX:
            return self._with_speech(self._filler.take(reply, now))
        if reply.kind != "lost":
            self._recovery.note_life(_stage_of(reply), reply)
        if reply.kind == "waiting":
            self._on_waiting(reply, now)
            return []
        self._clock.on_reply(reply.kind, now)
        for name, value in (reply.timings or {}).items():
            self.timings.setdefault(name, value)
        handlers: dict[ReplyKind, Callable[[Reply], list[Step]]] = {
            "transcript": self._on_transcript,
            "alive": lambda _: [],
            "emotion": lambda mood: [ShowEmotion(cast("Emotion", mood.text))],
            "sentence": self._on_sentence,
            "audio": self._on_audio,
            "tool": self._on_tool,
            "end": self._on_end,
            "failed": self._on_audio if _stage_of(reply) == "tts" else self._recovery.on_failed,
            "lost": lambda lost: [_marked(step) for step in self._recovery.on_lost(lost)],
        }
        steps = self._with_speech(handlers[reply.kind](reply))
        if self._attempts.stage != self._stage_since[0]:
            self._stage_since = (self._attempts.stage, now)
        return steps

    def on_clock(
        self,
        now: float,
        predict: Callable[[Stage, float], float] = _unknown,
        *,
        queued_s: Mapping[Service, float] = _NO_QUEUE,
        unserved_s: Mapping[Service, float] = _NO_QUEUE,
    ) -> list[Step]:
        """Act on a stage that is late: send it again once, then give it up; ask for a filler before that.

        Args:
            now: time of the clock.
            predict: returns in how many seconds the first audio is to be expected, of the stage that is
                waited for and for how long it was; 0 where nothing is known.
            queued_s: age of the oldest task of each queue: a stage that may still be there is not late,
                until the turn should be over.
            unserved_s: for how long each queue that nobody reads has had no worker: a stage of one that had
                none for as long as a stage may take is given up.
        """
        if self.over:
            return []
        if self._clock.is_given_up(now, unserved_s.get(self._attempts.stage, 0.0)):
            return self._with_speech(
                self._recovery.give_up(f"{self._attempts.stage}: no worker reads its queue")
            )
        if self._filler.is_waiting and self._filler.try_ask(now, self._predicted_s(now, predict)):
            return [AskForFiller(self._attempts.next_attempt())]
        if self._filler.try_end(now):
            return self._with_speech([])
        if now < self.late_at:
            return []
        may_wait = now < self._ends_at + self.alive_s
        is_queued = queued_s.get(self._attempts.stage, 0.0) >= self._clock.waited_s(now)
        self._clock.restart(now)
        return [] if may_wait and is_queued else self._with_speech(self._recovery.on_late())

    def _predicted_s(self, now: float, predict: Callable[[Stage, float], float]) -> float:
        """Return in how many seconds audio is expected; 0 of an utterance that may be no speech at all."""
        stage, since = self._stage_since
        return 0.0 if stage == "asr" else predict(stage, now - since)

    def on_tool_ended(self, now: float) -> None:
        """Count the LLM's time again: a tool did what it could."""
        self._clock.end_tool(now)

    def cancel(self) -> None:
        """Close the turn: a barge-in, or the device has disconnected."""
        self.over = True

    def _on_waiting(self, reply: Reply, now: float) -> None:
        """Take a stage that waits for a free slot for not late, where the turn waits for that stage."""
        is_next = reply.text != "tts" or reply.index == self._speech.current
        if reply.text == self._attempts.stage and is_next:
            self._clock.restart(now)

    def _on_transcript(self, reply: Reply) -> list[Step]:
        if self._attempts.stage != "asr":
            return []
        if not reply.text:
            return [Finish()]
        self.transcript = reply.text
        self._attempts.stage = "llm"
        # The chain that brought the transcript goes on under its own attempt.
        self._attempts.await_attempt(reply.attempt)
        return [ShowTranscript(reply.text)]

    def _on_sentence(self, reply: Reply) -> list[Step]:
        if self._attempts.try_win_llm(reply.attempt) and self._speech.add_sentence(reply):
            self._attempts.stage = "tts"
        return []

    def _on_audio(self, reply: Reply) -> list[Step]:
        self._speech.add_audio(reply)
        return []

    def _on_tool(self, reply: Reply) -> list[Step]:
        """Let a tool take its time; the LLM that calls one first is the one that speaks."""
        if not self._attempts.try_win_llm(reply.attempt):
            return []
        self._recovery.has_acted = True
        self._clock.start_tool(is_last=reply.last)
        return [CallTool(reply.text)] if reply.text else []

    def _on_end(self, reply: Reply) -> list[Step]:
        if self._attempts.try_win_llm(reply.attempt):
            self._speech.end_at(reply.index)
            self._attempts.stage = "tts"
            self.ended_because = reply.text
        return []

    def _with_speech(self, steps: list[Step]) -> list[Step]:
        """Return the steps with the speech that is next in order, and with the end of the turn."""
        if not _ends(steps) and not self._filler.is_speaking:
            speech = self._speech.hand_over()
            if any(isinstance(step, Subtitle) for step in speech):
                self._filler.end()
            steps = steps + speech + (self._end() if self._speech.is_complete else [])
        self.over = _ends(steps)
        return steps

    def _end(self) -> list[Step]:
        failure, reason = self._speech.tail_failure, self._recovery.cut_reason
        if reason is None and not self._speech.spoken:
            return self._recovery.give_up(_NO_SPEECH, failure.error if failure else "")
        if reason is None and failure is not None:
            reason = failure.text
        return [Finish()] if reason is None else self._recovery.give_up(reason)


def _stage_of(reply: Reply) -> str:
    """Return the stage that a reply comes from, or tells of."""
    if reply.kind in ("failed", "waiting", "lost"):
        return reply.text.partition(":")[0]
    return _STAGES.get(reply.kind, "llm")


def _ends(steps: list[Step]) -> bool:
    return bool(steps) and isinstance(steps[-1], Finish | Apologise | BreakOff)


def _marked(step: Step) -> Step:
    return replace(step, is_lost=True) if isinstance(step, SendAgain) else step
