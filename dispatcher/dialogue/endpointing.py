"""Endpointing: begin and end of an utterance, from the speech probability of each window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EndpointEvent = Literal["speech_started", "utterance_ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRules:
    """What counts as speech and how long a pause may be.

    Attributes:
        start_probability: a window at least this likely is speech.
        end_probability: a window below this is silence; between the two it stays what it was.
        min_speech_ms: speech shorter than this is a click: it neither begins an utterance nor
            breaks a silence.
        silence_ms: silence that ends an utterance.
        window_ms: length of a window.
        max_utterance_ms: an utterance is ended at this length.
        pre_roll_ms: sound to keep from before `speech_started`; soft first consonants are in it.
    """

    start_probability: float = 0.5
    end_probability: float = 0.35
    min_speech_ms: int = 96
    silence_ms: int = 700
    window_ms: int = 32
    max_utterance_ms: int = 60_000
    pre_roll_ms: int = 300


class Endpointer:
    """Finds the utterances in one microphone's stream; its clock is the windows it is fed."""

    def __init__(self, rules: EndpointRules) -> None:
        """Begin in silence."""
        self._rules = rules
        self.reset()

    @property
    def in_speech(self) -> bool:
        """An utterance has started and has not ended."""
        return self._in_speech

    def reset(self) -> None:
        """Forget the stream so far; wait for the next utterance."""
        self._in_speech = False
        self._burst_ms = 0
        self._silence_ms = 0
        self._utterance_ms = 0

    def feed(self, probability: float) -> EndpointEvent | None:
        """Take the speech probability of the next window; return what it made happen.

        An utterance that ends leaves the endpointer waiting for the next one.
        """
        self._count_burst(probability)
        if not self._in_speech:
            return self._start_when_speech_is_certain()
        self._utterance_ms += self._rules.window_ms
        certain = self._burst_ms >= self._rules.min_speech_ms
        self._silence_ms = 0 if certain else self._silence_ms + self._rules.window_ms
        if self._is_over(probability):
            self.reset()
            return "utterance_ended"
        return None

    def _count_burst(self, probability: float) -> None:
        if probability >= self._rules.start_probability:
            self._burst_ms += self._rules.window_ms
        elif probability < self._rules.end_probability:
            self._burst_ms = 0

    def _start_when_speech_is_certain(self) -> EndpointEvent | None:
        if self._burst_ms < self._rules.min_speech_ms:
            return None
        self._in_speech = True
        self._utterance_ms = self._burst_ms
        return "speech_started"

    def _is_over(self, probability: float) -> bool:
        # Only a silent window ends it: the first windows of a word after a pause are not certain yet.
        silent = probability < self._rules.end_probability
        quiet_long_enough = silent and self._silence_ms >= self._rules.silence_ms
        return quiet_long_enough or self._utterance_ms >= self._rules.max_utterance_ms
