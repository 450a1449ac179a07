"""One turn as the front sees it: replies come in any order, speech goes out in one, stages get late.

A turn is executed at least once and spoken at most once. Sentences and audio are taken from the
first sending of a stage that delivers them; what a second sending repeats is dropped. No two
sendings of a turn share an attempt, whatever their stage, so an attempt tells who said something.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from dispatcher.contracts import TOOL_TIMEOUT_S, Reply, ReplyKind
from dispatcher.conversation.emotion import Emotion

Stage = Literal["asr", "llm", "tts"]
MAX_SENTENCES: Final = 200
SENDINGS: Final = 2


@dataclass(frozen=True, slots=True)
class ShowTranscript:
    """The transcript is there: the device shows it and gets ready to speak."""

    text: str


@dataclass(frozen=True, slots=True)
class ShowEmotion:
    """The reply's mood is known."""

    emotion: Emotion


@dataclass(frozen=True, slots=True)
class Subtitle:
    """The sentence whose audio follows."""

    text: str


@dataclass(frozen=True, slots=True)
class Play:
    """Packed audio, next in order."""

    packets: bytes


@dataclass(frozen=True, slots=True)
class CallTool:
    """The device is to do something; `request` says what, in the worker's words."""

    request: str


@dataclass(frozen=True, slots=True)
class SendAgain:
    """A stage is late: send it once more (for tts, sentence `index` with `text`)."""

    stage: Stage
    attempt: int
    index: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """All speech was handed over; the turn ends when it is played out."""


@dataclass(frozen=True, slots=True)
class Apologise:
    """Nothing can be spoken; the reason is for the log."""

    reason: str


Step = ShowTranscript | ShowEmotion | Subtitle | Play | CallTool | SendAgain | Finish | Apologise


@dataclass(slots=True)
class _Sentence:
    """One sentence until it is spoken.

    Attributes:
        waiting: its audio, and word of a failure, while it is not its turn.
        sendings: the attempts that were asked to speak it, the LLM's own first.
        heard: the attempt whose audio is taken, 0 before any came.
        played: replies handed over.
        skip: replies that `heard` repeats and that were handed over before.
    """

    text: str = ""
    waiting: deque[Reply] = field(default_factory=deque)
    sendings: list[int] = field(default_factory=list)
    heard: int = 0
    played: int = 0
    skip: int = 0

    def takes(self, reply: Reply) -> bool:
        """Return whether a reply counts: the first sending that delivers is heard, and it alone."""
        if reply.kind == "failed":
            return reply.attempt == (self.heard or self.sendings[-1])
        if not self.heard and reply.attempt in self.sendings:
            self.heard = reply.attempt
        return reply.attempt == self.heard


class Turn:
    """The order of one turn. Every method takes the time and returns what to do now.

    Attributes:
        spoken: sentences whose audio was handed over, for the history and the log.
        timings: facts that the stages reported.
        acted: a tool was called, so the LLM is not asked again: what is done would be done twice.
    """

    def __init__(self, *, typed: bool, now: float, stage_timeout_s: float) -> None:
        """Start waiting: for the transcript, or for the first sentence when the text was typed."""
        self.transcript = ""
        self.spoken: list[str] = []
        self.timings: dict[str, str | float] = {}
        self.over = False
        self.acted = False
        self._stage_timeout_s = stage_timeout_s
        self._heard_at = now
        self._tool_until = now
        self._failure = "tts: no sentence could be spoken"
        self._stage: Stage = "llm" if typed else "asr"
        self._sendings: dict[Stage, int] = {"asr": 1, "llm": 1}
        self._attempts = 1
        self._awaited = 1
        self._sentences: dict[int, _Sentence] = {}
        self._llm_attempt = 0
        self._current = 0
        self._total: int | None = None

    @property
    def late_at(self) -> float:
        """The time at which the stage that is waited for counts as late."""
        return max(self._heard_at, self._tool_until) + self._stage_timeout_s

    def on_reply(self, reply: Reply, now: float) -> list[Step]:
        """Take in a reply of a stage."""
        if self.over:
            return []
        self._heard_at = now
        if reply.timings:
            for name, value in reply.timings.items():
                self.timings.setdefault(name, value)
        handlers: dict[ReplyKind, Callable[[Reply], list[Step]]] = {
            "transcript": self._on_transcript,
            "emotion": lambda mood: [ShowEmotion(cast("Emotion", mood.text))],
            "sentence": self._on_sentence,
            "audio": self._on_audio,
            "tool": self._on_tool,
            "end": self._on_end,
            "failed": self._on_failed,
        }
        return handlers[reply.kind](reply)

    def on_clock(self, now: float) -> list[Step]:
        """Act on a stage that is late: send it again once, then give it up."""
        if self.over or now < self.late_at:
            return []
        self._heard_at = now
        if self._stage == "tts":
            return self._late_sentence()
        if self._sendings[self._stage] < SENDINGS and not self._sentences and not self.acted:
            self._sendings[self._stage] += 1
            self._awaited = self._next_attempt()
            return [SendAgain(self._stage, self._awaited)]
        return self._give_up(f"{self._stage}: no answer in time")

    def on_tool_ended(self, now: float) -> None:
        """Take in that a tool did what it could; from here on the LLM's time counts again."""
        self._heard_at = self._tool_until = now

    def cancel(self) -> None:
        """Close the turn: a barge-in, or the device is gone."""
        self.over = True

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
        sentence = self._sentences.setdefault(reply.index, _Sentence())
        if sentence.text:
            return []
        sentence.text = reply.text
        sentence.sendings = [reply.attempt]
        self._stage = "tts"
        return self._advance()

    def _on_audio(self, reply: Reply) -> list[Step]:
        """Keep audio, or word that there will be none, until its sentence is next."""
        if reply.index < self._current or reply.index >= MAX_SENTENCES:
            return []
        self._sentences.setdefault(reply.index, _Sentence()).waiting.append(reply)
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
        return self._advance()

    def _on_failed(self, reply: Reply) -> list[Step]:
        """Take in that a stage failed; one that was sent again, or is over already, may fail in peace."""
        stage = reply.text.partition(":")[0]
        if stage == "tts":
            return self._on_audio(reply)
        is_over = stage == "asr" and self._stage != "asr"
        if is_over or reply.attempt != (self._llm_attempt or self._awaited):
            return []
        if not self._llm_attempt:
            return self._give_up(reply.text)
        # The sentences that the LLM did finish are spoken.
        self._failure = reply.text
        self._total = self._current + sum(bool(sentence.text) for sentence in self._sentences.values())
        return self._advance()

    def _late_sentence(self) -> list[Step]:
        sentence = self._sentences.get(self._current)
        if sentence is None or not sentence.text:
            return self._give_up("llm: the reply stopped")
        if len(sentence.sendings) >= SENDINGS:
            return self._give_up("tts: no answer in time")
        attempt = self._next_attempt()
        sentence.sendings.append(attempt)
        sentence.heard = attempt if sentence.played else 0
        sentence.skip = sentence.played
        return [SendAgain("tts", attempt, self._current, sentence.text)]

    def _next_attempt(self) -> int:
        self._attempts += 1
        return self._attempts

    def _give_up(self, reason: str) -> list[Step]:
        """End with what was spoken; where that is nothing, with an apology."""
        self.over = True
        return [Finish()] if self.spoken else [Apologise(reason)]

    def _advance(self) -> list[Step]:
        """Hand over whatever is next in order."""
        steps: list[Step] = []
        while (sentence := self._sentences.get(self._current)) is not None and sentence.text:
            if not self._drain(sentence, steps):
                break
            del self._sentences[self._current]
            self._current += 1
        if self._total is not None and self._current >= self._total:
            steps += self._give_up(self._failure)
        return steps

    def _drain(self, sentence: _Sentence, steps: list[Step]) -> bool:
        """Hand over the sentence's audio so far; return whether it was all of it."""
        while sentence.waiting:
            reply = sentence.waiting.popleft()
            if not sentence.takes(reply):
                continue
            if sentence.skip > 0:
                sentence.skip -= 1
            elif reply.packets:
                if not sentence.played:
                    steps.append(Subtitle(sentence.text))
                    self.spoken.append(sentence.text)
                sentence.played += 1
                steps.append(Play(reply.packets))
            if reply.last or reply.kind == "failed":
                return True
        return False
