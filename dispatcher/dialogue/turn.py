"""One turn as the front sees it: replies come in any order, speech goes out in one, stages get late.

A turn is executed at least once and spoken at most once. Sentences and audio are taken from the
first sending of a stage that delivers them; what a second sending repeats is dropped. No two
sendings of a turn share an attempt, whatever their stage, so an attempt tells who said something.
A reply that breaks off is gone on with once, from the next sentence, by a sending of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, cast

from dispatcher.dialogue.emotion import Emotion
from dispatcher.dialogue.filler import FILLER_INDEX, Filler
from dispatcher.dialogue.sentence_audio import SentenceAudio
from dispatcher.dialogue.steps import (
    Apologise,
    AskForFiller,
    BreakOff,
    CallTool,
    Finish,
    Play,
    PlayFiller,
    SendAgain,
    ShowEmotion,
    ShowTranscript,
    Stage,
    Step,
    Subtitle,
)
from dispatcher.messages import TOOL_TIMEOUT_S, Reply, ReplyKind

__all__ = ["Apologise", "AskForFiller", "BreakOff", "CallTool", "Finish", "Play", "PlayFiller", "SendAgain"]
__all__ += ["ShowEmotion", "ShowTranscript", "Step", "Subtitle", "Turn"]

MAX_SENTENCES: Final = 200
SENDINGS: Final = 2
# Beyond those: that its worker was lost says nothing of a stage, unless it is the stage that ends them.
LOST_SENDINGS: Final = 3


class Turn:
    """The order of one turn. Every method takes the time and returns what to do now.

    Attributes:
        spoken: sentences whose audio was handed over, for the history and the log.
        timings: facts that the stages reported.
        acted: a tool was called, so the LLM is not asked again: what is done would be done twice.
        alive_s: time that the LLM spent thinking, which counts for no deadline.
        ended_because: why the reply was ended before its model did; empty where it was not.
    """

    def __init__(
        self, *, typed: bool, now: float, stage_timeout_s: float, filler_after_s: float = math.inf
    ) -> None:
        """Start waiting: for the transcript, or for the first sentence when the text was typed."""
        self.transcript = ""
        self.spoken: list[str] = []
        self.timings: dict[str, str | float] = {}
        self.over = False
        self.acted = False
        self.alive_s = 0.0
        self.ended_because = ""
        self._filler = Filler(now + filler_after_s)
        self._written: list[str] = []
        self._was_resumed = False
        self._is_cut = False
        self._tail_failure = ""
        self._stage_timeout_s = stage_timeout_s
        self._heard_at = now
        self._tool_until = now
        self._failure = "tts: no sentence could be spoken"
        self._stage: Stage = "llm" if typed else "asr"
        self._sendings: dict[Stage, int] = {"asr": 1, "llm": 1}
        self._attempts = self._awaited = 1
        self._sentences: dict[int, SentenceAudio] = {}
        self._llm_attempt = self._current = self._lost = 0
        self._total: int | None = None

    @property
    def late_at(self) -> float:
        """The time at which the stage that is waited for counts as late."""
        return max(self._heard_at, self._tool_until) + self._stage_timeout_s

    def on_reply(self, reply: Reply, now: float) -> list[Step]:
        """Take in a reply of a stage."""
        if self.over:
            return []
        if reply.index == FILLER_INDEX:
            return [*self._filler.take(reply, now), *self._advance()]
        if reply.kind == "alive":
            self.alive_s += now - self._heard_at
        self._heard_at = now
        if reply.timings:
            for name, value in reply.timings.items():
                self.timings.setdefault(name, value)
        handlers: dict[ReplyKind, Callable[[Reply], list[Step]]] = {
            "transcript": self._on_transcript,
            "alive": lambda _: [],
            "emotion": lambda mood: [ShowEmotion(cast("Emotion", mood.text))],
            "sentence": self._on_sentence,
            "audio": self._on_audio,
            "tool": self._on_tool,
            "end": self._on_end,
            "failed": self._on_failed,
            "lost": lambda lost: [_marked(step) for step in self._on_lost(lost)],
        }
        return handlers[reply.kind](reply)

    def on_clock(self, now: float) -> list[Step]:
        """Act on a stage that is late: send it again once, then give it up; ask for a filler before that."""
        if self.over:
            return []
        if self._filler.try_ask(now):
            return [AskForFiller(self._next_attempt())]
        if self._filler.try_end(now):
            return self._advance()
        return self._on_late(now) if now >= self.late_at else []

    def on_tool_ended(self, now: float) -> None:
        """Take in that a tool did what it could; from here on the LLM's time counts again."""
        self._heard_at = self._tool_until = now

    def cancel(self) -> None:
        """Close the turn: a barge-in, or the device is gone."""
        self.over = True

    def _on_late(self, now: float) -> list[Step]:
        self._heard_at = now
        return self._late_sentence() if self._stage == "tts" else self._ask_again("no answer in time")

    def _ask_again(self, reason: str) -> list[Step]:
        if self._sendings[self._stage] < SENDINGS + self._lost and not self._sentences and not self.acted:
            self._sendings[self._stage] += 1
            self._awaited = self._next_attempt()
            return [SendAgain(self._stage, self._awaited)]
        return self._give_up(f"{self._stage}: {reason}")

    def _on_transcript(self, reply: Reply) -> list[Step]:
        if self._stage != "asr":
            return []
        if not reply.text:
            self.over = True
            return [Finish()]
        self.transcript = reply.text
        self._stage = "llm"
        # The chain that brought the transcript goes on under its own attempt.
        self._awaited = reply.attempt
        return [ShowTranscript(reply.text)]

    def _on_sentence(self, reply: Reply) -> list[Step]:
        self._llm_attempt = self._llm_attempt or reply.attempt
        if reply.attempt != self._llm_attempt or not self._current <= reply.index < MAX_SENTENCES:
            return []
        sentence = self._sentences.setdefault(reply.index, SentenceAudio())
        if sentence.text:
            return []
        sentence.text = reply.text
        if reply.index == len(self._written):
            self._written.append(reply.text)
        sentence.sendings = [reply.attempt]
        self._stage = "tts"
        return self._advance()

    def _on_audio(self, reply: Reply) -> list[Step]:
        """Keep audio, or word that there will be none, until its sentence is next."""
        if reply.index < self._current or reply.index >= MAX_SENTENCES:
            return []
        self._sentences.setdefault(reply.index, SentenceAudio()).waiting.append(reply)
        return self._advance()

    def _on_tool(self, reply: Reply) -> list[Step]:
        """Let a tool take its time; who acts first is also who is heard."""
        self._llm_attempt = self._llm_attempt or reply.attempt
        if reply.attempt != self._llm_attempt:
            return []
        self.acted = True
        self._tool_until = self._heard_at if reply.last else self._heard_at + TOOL_TIMEOUT_S
        return [CallTool(reply.text)] if reply.text else []

    def _on_end(self, reply: Reply) -> list[Step]:
        self._llm_attempt = self._llm_attempt or reply.attempt
        if reply.attempt == self._llm_attempt:
            self._total = min(reply.index, MAX_SENTENCES)
            self._stage = "tts"
            self.ended_because = reply.text
        return self._advance()

    def _on_failed(self, reply: Reply) -> list[Step]:
        """Take in that a stage failed; one that was sent again, or is over already, may fail in peace."""
        stage = reply.text.partition(":")[0]
        if stage == "tts":
            return self._on_audio(reply)
        is_over = stage == "asr" and self._stage != "asr"
        if is_over or reply.attempt != (self._llm_attempt or self._awaited):
            return []
        return self._resume(reply.text) if self._written else self._give_up(reply.text)

    def _resume(self, reason: str) -> list[Step]:
        """Have the rest of a broken reply written by another sending, once; else end with what there is."""
        if self._was_resumed or self.acted:
            self._failure, self._is_cut = reason, True
            self._total = len(self._written)
            return self._advance()
        self._was_resumed, self._total = True, None
        self._sentences = {at: each for at, each in self._sentences.items() if at < len(self._written)}
        self._llm_attempt = self._next_attempt()
        return [SendAgain("llm", self._llm_attempt, len(self._written), " ".join(self._written))]

    def _late_sentence(self) -> list[Step]:
        sentence = self._sentences.get(self._current)
        if sentence is None or not sentence.text:
            reason = "llm: the reply stopped"
            return self._resume(reason) if self._written else self._give_up(reason)
        if len(sentence.sendings) >= SENDINGS + self._lost:
            return self._give_up("tts: no answer in time")
        return self._speak_again(self._current)

    def _speak_again(self, index: int, *, lost: int = 0) -> list[Step]:
        attempt, sentence = self._next_attempt(), self._sentences[index]
        sentence.send_again(attempt, lost=lost)
        return [SendAgain("tts", attempt, index, sentence.text)]

    def _on_lost(self, reply: Reply) -> list[Step]:
        """Send again what a lost worker had in hand, unless it was done or another was asked since."""
        stage, sentence = reply.text, self._sentences.get(reply.index)
        if stage == "tts":
            if sentence is None or not sentence.awaits(reply.attempt):
                return []
            if sentence.losses == LOST_SENDINGS:
                return self._give_up("tts: worker lost")
            return self._speak_again(reply.index, lost=reply.attempt)
        is_awaited = reply.attempt == (self._llm_attempt or self._awaited)
        # Until the LLM says something, a message to it may have been lost with the worker of the ASR.
        is_over = self._total is not None or (stage == "asr" and self._llm_attempt)
        if is_over or not is_awaited:
            return []
        self._lost = min(self._lost + 1, LOST_SENDINGS)
        return self._resume("llm: worker lost") if self._written else self._ask_again("worker lost")

    def _next_attempt(self) -> int:
        self._attempts += 1
        return self._attempts

    def _give_up(self, reason: str) -> list[Step]:
        """End with an apology: for all of the answer, or for the rest of it."""
        self.over = True
        return [BreakOff(reason) if self.spoken else Apologise(reason)]

    def _advance(self) -> list[Step]:
        """Hand over whatever is next in order."""
        steps: list[Step] = []
        if self._filler.is_speaking:
            return steps
        while (sentence := self._sentences.get(self._current)) is not None and sentence.text:
            if not self._drain(sentence, steps):
                break
            del self._sentences[self._current]
            self._current += 1
        if self._total is not None and self._current >= self._total:
            steps += self._end()
        return steps

    def _end(self) -> list[Step]:
        if self._is_cut or not self.spoken:
            return self._give_up(self._failure)
        if self._tail_failure:
            return self._give_up(self._tail_failure)
        self.over = True
        return [Finish()]

    def _drain(self, sentence: SentenceAudio, steps: list[Step]) -> bool:
        """Hand over the sentence's audio so far; return whether it was all of it."""
        while sentence.waiting:
            reply = sentence.waiting.popleft()
            if not sentence.takes(reply):
                continue
            if sentence.skip > 0:
                sentence.skip -= 1
            elif reply.packets:
                if not sentence.played:
                    self._filler.end()
                    steps.append(Subtitle(sentence.text))
                    self.spoken.append(sentence.text)
                sentence.played += 1
                steps.append(Play(reply.packets))
            if reply.last or reply.kind == "failed":
                # Only where it is the last one does the answer break off with it.
                self._tail_failure = reply.text if reply.kind == "failed" else ""
                return True
        return False


def _marked(step: Step) -> Step:
    return replace(step, is_lost=True) if isinstance(step, SendAgain) else step
