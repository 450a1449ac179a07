"""Endpointing: begin and end of an utterance, from the speech probability of each window.

The strategies differ in how long a silence ends an utterance. `silence`: always `silence_ms`. `smart_turn`:
at each pause a model says how likely the sentence is finished, and a finished one needs less silence, an
unfinished one more; a pause that nobody judged in time is as in `silence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from dispatcher.catalogue.conversation import Conversation

EndpointEvent = Literal["speech_started", "paused", "utterance_ended"]

# Above this share of the CPU a model that judges pauses would take from the turns under way.
BUSY_CPU_RATIO: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRules:
    """What counts as speech and how long a pause may be.

    Attributes:
        start_probability: a window at least this likely is speech.
        end_probability: a window below this is silence; between the two it stays what it was.
        min_speech_ms: speech shorter than this is a click: it neither begins an utterance nor
            breaks a silence.
        silence_ms: silence that ends an utterance whose pause was not judged.
        pause_ms: silence after which a pause is judged; None where none is.
        finished_silence_ms, unfinished_silence_ms: silence that ends an utterance judged as such.
        finished_probability: a sentence at least this likely finished is.
        window_ms: length of a window.
        max_utterance_ms: an utterance is ended at this length.
        pre_roll_ms: sound to keep from before `speech_started`; soft first consonants are in it.
    """

    start_probability: float = 0.5
    end_probability: float = 0.35
    min_speech_ms: int = 96
    silence_ms: int = 700
    pause_ms: int | None = None
    finished_silence_ms: int = 192
    unfinished_silence_ms: int = 1500
    finished_probability: float = 0.5
    window_ms: int = 32
    max_utterance_ms: int = 60_000
    pre_roll_ms: int = 300

    @property
    def run_up_ms(self) -> int:
        """Sound to keep while nobody speaks: what `speech_started` takes to be certain, and its pre-roll."""
        return self.pre_roll_ms + self.min_speech_ms

    def ending_silence_ms(self, finished: float | None) -> int:
        """Return the silence that ends an utterance.

        Args:
            finished: how likely its sentence is finished; None where nobody said.
        """
        if finished is None:
            return self.silence_ms
        is_finished = finished >= self.finished_probability
        return self.finished_silence_ms if is_finished else self.unfinished_silence_ms


class Endpointer:
    """Finds the utterances in one microphone's stream; its clock is the windows it is fed.

    Attributes:
        pause: number of the pause under way, for `judge`; None while nobody pauses.
        ended_silence_ms: silence at the end of the utterance that just ended; 0 from the next `reset` on.
        heard_ms: speech of the utterance, or of the last one, and the time since it was heard, which a click
            breaks as well.
    """

    def __init__(self, rules: EndpointRules) -> None:
        """Begin in silence."""
        self._rules = rules
        self.pause: int | None = None
        self.ended_silence_ms = 0
        self.heard_ms = (0, 0)
        self._pauses = 0
        self._silence_ms = 0
        self._ending_silence_ms = rules.silence_ms
        self.reset()

    @property
    def in_speech(self) -> bool:
        """An utterance has started and has not ended."""
        return self._in_speech

    @property
    def silence_ms(self) -> int:
        """Silence so far in an utterance."""
        return self._silence_ms

    def reset(self) -> None:
        """Forget the stream so far; wait for the next utterance."""
        self._in_speech = False
        self._burst_ms = 0
        self._utterance_ms = 0
        self.ended_silence_ms = 0
        self._end_pause()

    def feed(self, probability: float) -> EndpointEvent | None:
        """Take the speech probability of the next window; return what it made happen.

        An utterance that ends leaves the endpointer waiting for the next one.
        """
        self._count_burst(probability)
        if not self._in_speech:
            return self._start_when_speech_is_certain()
        self._count_voice(probability)
        self._utterance_ms += self._rules.window_ms
        self._silence_ms += self._rules.window_ms
        if self._burst_ms >= self._rules.min_speech_ms:
            self._end_pause()
        # Only a silent window ends it: the first windows of a word after a pause are not certain yet.
        is_silent = probability < self._rules.end_probability
        if self._is_over(is_silent=is_silent):
            silence_ms = self._silence_ms
            self.reset()
            self.ended_silence_ms = silence_ms
            return "utterance_ended"
        return self._begin_pause() if is_silent else None

    def judge(self, pause: int, finished: float) -> None:
        """Take in how likely a sentence is finished, 0..1; nothing where its pause is over."""
        if pause == self.pause:
            self._ending_silence_ms = self._rules.ending_silence_ms(finished)

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
        self.heard_ms = (self._burst_ms, 0)
        return "speech_started"

    def _count_voice(self, probability: float) -> None:
        voice_ms, quiet_ms = self.heard_ms
        if probability >= self._rules.start_probability:
            self.heard_ms = (voice_ms + self._rules.window_ms, 0)
        else:
            self.heard_ms = (voice_ms, quiet_ms + self._rules.window_ms)

    def _begin_pause(self) -> EndpointEvent | None:
        pause_ms = self._rules.pause_ms
        if pause_ms is None or self.pause is not None or self._silence_ms < pause_ms:
            return None
        self._pauses += 1
        self.pause = self._pauses
        return "paused"

    def _end_pause(self) -> None:
        self.pause = None
        self._silence_ms = 0
        self._ending_silence_ms = self._rules.ending_silence_ms(None)

    def _is_over(self, *, is_silent: bool) -> bool:
        quiet_long_enough = is_silent and self._silence_ms >= self._ending_silence_ms
        return quiet_long_enough or self._utterance_ms >= self._rules.max_utterance_ms


def endpoint_rules(conversation: Conversation) -> EndpointRules:
    """Return the rules of the strategy that an operator chose."""
    chosen = conversation.endpointing
    return EndpointRules(
        silence_ms=conversation.endpoint_silence_ms,
        pause_ms=chosen.pause_ms if chosen.strategy == "smart_turn" else None,
        finished_silence_ms=chosen.finished_silence_ms,
        unfinished_silence_ms=chosen.unfinished_silence_ms,
        max_utterance_ms=round(conversation.max_utterance_s * 1000),
    )


def has_room(*, cpu_ratio: float | None, wait_s: float, silence_s: float) -> bool:
    """Return whether a pause is worth judging now.

    Args:
        cpu_ratio: share of the host's CPU in use; None where it is not known yet.
        wait_s: until those before it are judged.
        silence_s: silence after which the utterance ends without one.
    """
    return wait_s < silence_s and (cpu_ratio is None or cpu_ratio < BUSY_CPU_RATIO)
