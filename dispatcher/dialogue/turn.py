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

    Attributes:
        transcript: of the utterance, or what was typed, once it is known.
        timings: facts that the stages reported.
        over: the turn has ended; nothing of it is taken in any more.
        ended_because: why the reply was ended before its model did; empty where it was not.
        clock: of its stages.
        speech: the reply so far.
    """

    def __init__(
        self,
        *,
        now: float,
        stage_timeout_s: float,
        text: str = "",
        turn_timeout_s: float = math.inf,
        filler_after_s: float = math.inf,
        is_filler_first: bool = False,
    ) -> None:
        """Start waiting: for the transcript, or for the first sentence where a text was typed."""
        self.transcript = text
        self.timings: dict[str, str | float] = {}
        self.over = False
        self.ended_because = ""
        self._attempts = StageAttempts("llm" if text else "asr")
        stage = self._attempts.stage
        self.clock = StageClock(now, stage_timeout_s, stage=stage, turn_timeout_s=turn_timeout_s)
        self._filler = Filler(now, filler_after_s, is_first=is_filler_first)
        self.speech = SpeechOrder()
        self._recovery = TurnRecovery(self._attempts, self.speech)

    def on_reply(self, reply: Reply, now: float) -> list[Step]:
        """Take in a reply of a stage."""
        if self.over:
            return []
        if reply.index == FILLER_INDEX:
            return self._with_speech(self._filler.take(reply, now))
        stage = _stage_of(reply)
        if reply.kind != "lost":
            self._recovery.note_life(stage, reply)
        if reply.kind == "waiting":
            is_next = stage != "tts" or reply.index == self.speech.current
            if stage == self._attempts.stage and is_next:
                self.clock.restart(now)
            return []
        self.clock.on_reply(reply.kind, now)
        for name, value in (reply.timings or {}).items():
            self.timings.setdefault(name, value)
        steps = self._with_speech(self._take(reply, stage))
        self.clock.note_stage(self._attempts.stage, now)
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
            queued_s: age of the oldest task of each queue.
            unserved_s: for how long each queue has had no worker that reads it.
        """
        if self.over:
            return []
        stage = self._attempts.stage
        if self.clock.is_given_up(now, unserved_s.get(stage, 0.0)):
            return self._with_speech(self._recovery.give_up(f"{stage}: no worker reads its queue"))
        if self._filler.is_waiting and self._filler.try_ask(now, self._predicted_s(now, predict)):
            return [AskForFiller(self._attempts.next_attempt())]
        if self._filler.try_end(now):
            return self._with_speech([])
        is_late = self.clock.try_expire(now, queued_s.get(stage, 0.0))
        return self._with_speech(self._recovery.on_late()) if is_late else []

    def _predicted_s(self, now: float, predict: Callable[[Stage, float], float]) -> float:
        """Return in how many seconds audio is expected; 0 of an utterance that may be no speech at all."""
        stage = self._attempts.stage
        return 0.0 if stage == "asr" else predict(stage, self.clock.begun_s(now))

    def cancel(self) -> None:
        """Close the turn: a barge-in, or the device has disconnected."""
        self.over = True

    def _take(self, reply: Reply, stage: str) -> list[Step]:
        """Return the steps of a reply of a stage, without the speech that is next in order by it."""
        match reply.kind:
            case "transcript":
                return self._on_transcript(reply)
            case "emotion":
                return [ShowEmotion(cast("Emotion", reply.text))]
            case "sentence":
                if self._attempts.try_win_llm(reply.attempt) and self.speech.add_sentence(reply):
                    self._attempts.stage = "tts"
            case "tool":
                return self._on_tool(reply)
            case "end":
                self._on_end(reply)
            case "audio" | "failed" if stage == "tts":
                self.speech.add_audio(reply)
            case "failed":
                return self._recovery.on_failed(reply)
            case "lost":
                return [_marked(step) for step in self._recovery.on_lost(reply)]
        return []

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

    def _on_end(self, reply: Reply) -> None:
        if self._attempts.try_win_llm(reply.attempt):
            self.speech.end_at(reply.index)
            self._attempts.stage = "tts"
            self.ended_because = reply.text

    def _on_tool(self, reply: Reply) -> list[Step]:
        """Let a tool take its time; the LLM that calls one first is the one that speaks."""
        if not self._attempts.try_win_llm(reply.attempt):
            return []
        self._recovery.has_acted = True
        self.clock.start_tool(is_last=reply.last)
        return [CallTool(reply.text)] if reply.text else []

    def _with_speech(self, steps: list[Step]) -> list[Step]:
        """Return the steps with the speech that is next in order, and with the end of the turn."""
        if not _ends(steps) and not self._filler.is_speaking:
            speech = self.speech.hand_over()
            if any(isinstance(step, Subtitle) for step in speech):
                self._filler.end()
            steps = steps + speech + (self._end() if self.speech.is_complete else [])
        self.over = _ends(steps)
        return steps

    def _end(self) -> list[Step]:
        failure, reason = self.speech.tail_failure, self._recovery.cut_reason
        if reason is None and not self.speech.spoken:
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
