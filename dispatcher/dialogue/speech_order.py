"""Sentences and audio of a reply, which come in any order and are handed over in one."""

from __future__ import annotations

from typing import Final

from dispatcher.dialogue.sentence_audio import SentenceAudio
from dispatcher.dialogue.steps import Play, Step, Subtitle
from dispatcher.messages import Reply

MAX_SENTENCES: Final = 200


class SpeechOrder:
    """The reply so far.

    Attributes:
        spoken: sentences whose audio was handed over, for the history and the log.
        written: sentences of the LLM without a gap, also those not spoken yet.
        total: sentences of the whole reply; None until its end is known.
        tail_failure: of the newest sentence that ended; with the last one the reply breaks off.
        current: index of the sentence to be handed over next.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.spoken: list[str] = []
        self.written: list[str] = []
        self.total: int | None = None
        self.tail_failure: Reply | None = None
        self.current = 0
        self._sentences: dict[int, SentenceAudio] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no sentence and no audio waits."""
        return not self._sentences

    @property
    def is_complete(self) -> bool:
        """Whether every sentence was handed over."""
        return self.total is not None and self.current >= self.total

    def waiting(self, index: int) -> SentenceAudio | None:
        """Return a sentence whose text is known and that is not handed over yet."""
        sentence = self._sentences.get(index)
        return sentence if sentence is not None and sentence.text else None

    def add_sentence(self, reply: Reply) -> bool:
        """Take in the text of a sentence; return whether it is one of the reply, and new."""
        if not self.current <= reply.index < MAX_SENTENCES or self.waiting(reply.index):
            return False
        sentence = self._sentences.setdefault(reply.index, SentenceAudio())
        sentence.text = reply.text
        sentence.sendings = [reply.attempt]
        if reply.index == len(self.written):
            self.written.append(reply.text)
        return True

    def add_audio(self, reply: Reply) -> None:
        """Keep audio, or word that there will be none, until its sentence is next."""
        if self.current <= reply.index < MAX_SENTENCES:
            self._sentences.setdefault(reply.index, SentenceAudio()).waiting.append(reply)

    def end_at(self, count: int) -> None:
        """Expect so many sentences."""
        self.total = min(count, MAX_SENTENCES)

    def reopen(self) -> None:
        """Expect sentences of another sending behind those that were written."""
        self.total = None
        self._sentences = {at: each for at, each in self._sentences.items() if at < len(self.written)}

    def hand_over(self) -> list[Step]:
        """Return the steps for whatever is next in order."""
        steps: list[Step] = []
        while (sentence := self.waiting(self.current)) and self._hand_over(sentence, steps):
            del self._sentences[self.current]
            self.current += 1
        return steps

    def _hand_over(self, sentence: SentenceAudio, steps: list[Step]) -> bool:
        """Hand over the sentence's audio so far; return whether it was all of it."""
        while sentence.waiting:
            reply = sentence.waiting.popleft()
            if not sentence.try_take(reply):
                continue
            is_first = not sentence.played
            if made := sentence.take_packets(reply.packets):
                if is_first:
                    steps.append(Subtitle(sentence.text))
                    self.spoken.append(sentence.text)
                steps.append(Play(made))
            if reply.last or reply.kind == "failed":
                self.tail_failure = reply if reply.kind == "failed" else None
                return True
        return False
