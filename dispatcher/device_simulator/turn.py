"""Record of one turn from the side of its device: transcript, sentences, audio, and their times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dispatcher.device_simulator.decode_queue import DecodeQueue

EventKind: TypeAlias = Literal[
    "speech_ended", "transcript", "emotion", "tool", "sentence", "first_audio", "end"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEvent:
    """Event of a turn that a person at the device notices.

    Attributes:
        at_ms: after the end of speech; 0 when it came before.
        text: transcript, emotion, call of a tool or sentence.
    """

    kind: EventKind
    at_ms: float
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence of the reply, as the display shows it."""

    text: str
    at_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnResult:
    """One turn from the device's side.

    Times are ms after the end of speech: `listen stop`, or the last packet of speech where no stop
    is sent, or the typed text.

    Attributes:
        transcript_ms: None when the front sent none.
        first_audio_ms: first frame accepted; None when there was none.
        end_ms: the `tts stop`.
        gaps: silences inside the reply; `gap_ms` is their length in all.
        late: frames that came after their time.
        dropped: frames that found the decode queue full.
        refused: frames that came while the device was not speaking.
        unplayed: frames still in the queue at `tts stop`; a listener misses them.
        frames: frames accepted.
        packets: their payload, where the device keeps it.
    """

    transcript: str
    emotion: str
    sentences: tuple[Sentence, ...]
    transcript_ms: float | None
    first_audio_ms: float | None
    end_ms: float
    gaps: int
    gap_ms: float
    late: int
    dropped: int
    refused: int
    unplayed: int
    frames: int
    packets: tuple[bytes, ...]


class EventTimes:
    """Times of the events of a turn, in ms after the end of speech; 0 for those before it."""

    def __init__(self, on_event: Callable[[TurnEvent], None] | None) -> None:
        """Begin before the end of speech; every event is passed on."""
        self.first_ms: dict[EventKind, float] = {}
        self._on_event = on_event
        self._speech_ended_s: float | None = None

    @property
    def has_speech_ended(self) -> bool:
        """Whether the user is done."""
        return self._speech_ended_s is not None

    def end_speech(self, now_s: float) -> None:
        """Count from here."""
        self._speech_ended_s = now_s
        self.add("speech_ended", now_s)

    def add(self, kind: EventKind, now_s: float, text: str = "") -> float:
        """Pass an event on; return its time."""
        at_ms = 0.0 if self._speech_ended_s is None else (now_s - self._speech_ended_s) * 1000
        self.first_ms.setdefault(kind, at_ms)
        if self._on_event is not None:
            self._on_event(TurnEvent(kind=kind, at_ms=at_ms, text=text))
        return at_ms


class TurnRecorder:
    """Collects one turn; every method takes the time.

    Attributes:
        ended: the result, once the turn is over.
    """

    def __init__(
        self, queue: DecodeQueue, *, keep_audio: bool, on_event: Callable[[TurnEvent], None] | None
    ) -> None:
        """Begin a turn whose frames go through this queue."""
        self.ended: TurnResult | None = None
        self._queue = queue
        self._keep_audio = keep_audio
        self._times = EventTimes(on_event)
        self._has_reply = False
        self._transcript = ""
        self._emotion = ""
        self._sentences: list[Sentence] = []
        self._packets: list[bytes] = []
        self._refused = 0

    @property
    def has_begun(self) -> bool:
        """Whether any part of the reply has come."""
        return self._has_reply or bool(self._times.first_ms.keys() - {"speech_ended"})

    def end_speech(self, now_s: float) -> None:
        """Take in that the user is done; all times count from here."""
        self._times.end_speech(now_s)

    def set_transcript(self, text: str, now_s: float) -> None:
        """Take in the transcript of the front."""
        self._transcript = text
        self._times.add("transcript", now_s, text)

    def set_emotion(self, emotion: str, now_s: float) -> None:
        """Take in the face that the device shows."""
        self._emotion = emotion
        self._times.add("emotion", now_s, emotion)

    def add_tool_call(self, call: str, now_s: float) -> None:
        """Take in a call of one of the device's tools."""
        self._times.add("tool", now_s, call)

    def begin_reply(self) -> None:
        """Handle `tts start`: the queue and its counts are cleared."""
        self._has_reply = True
        self._queue.clear()

    def add_sentence(self, text: str, now_s: float) -> None:
        """Take in a sentence for the display."""
        self._sentences.append(Sentence(text=text, at_ms=self._times.add("sentence", now_s, text)))

    def add_frame(self, packet: bytes, now_s: float, *, accepted: bool) -> None:
        """Take in one frame; `accepted` is false while the device does not speak."""
        if not accepted:
            self._refused += 1
            return
        if not self._queue.put(now_s):
            return
        if "first_audio" not in self._times.first_ms:
            self._times.add("first_audio", now_s)
        if self._keep_audio:
            self._packets.append(packet)

    def end_reply(self, now_s: float) -> TurnResult | None:
        """Handle `tts stop`; return the result where it ended the turn.

        One that comes before anything was answered, while the user still speaks, belongs to the
        turn before.
        """
        if self.ended is not None or not (self._has_reply or self._times.has_speech_ended):
            return None
        self.ended = TurnResult(
            end_ms=self._times.add("end", now_s),
            transcript=self._transcript,
            emotion=self._emotion,
            sentences=tuple(self._sentences),
            transcript_ms=self._times.first_ms.get("transcript"),
            first_audio_ms=self._times.first_ms.get("first_audio"),
            gaps=self._queue.gaps,
            gap_ms=self._queue.gap_ms,
            late=self._queue.late,
            dropped=self._queue.dropped,
            refused=self._refused,
            unplayed=self._queue.waiting(now_s),
            frames=self._queue.accepted,
            packets=tuple(self._packets),
        )
        return self.ended
