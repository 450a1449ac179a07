"""What a device hears and sees in one turn, and when."""

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
    """Something that a person at the device notices.

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
        transcript_ms: None when the front never said what it understood.
        first_audio_ms: first frame accepted; None when nothing was heard.
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


class TurnRecorder:
    """Collects one turn; every method is told what the time is.

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
        self._on_event = on_event
        self._speech_ended_s: float | None = None
        self._answered = False
        self._transcript = ""
        self._emotion = ""
        self._sentences: list[Sentence] = []
        self._packets: list[bytes] = []
        self._refused = 0
        self._at_ms: dict[EventKind, float] = {}

    @property
    def has_begun(self) -> bool:
        """Whether anything came of the reply."""
        return self._answered or bool(self._at_ms.keys() - {"speech_ended"})

    def end_speech(self, now_s: float) -> None:
        """Note when the user was done; all times count from here."""
        self._speech_ended_s = now_s
        self._tell("speech_ended", now_s)

    def hear_transcript(self, text: str, now_s: float) -> None:
        """Note what the front understood."""
        self._transcript = text
        self._tell("transcript", now_s, text)

    def show_emotion(self, emotion: str, now_s: float) -> None:
        """Note the face that the device makes."""
        self._emotion = emotion
        self._tell("emotion", now_s, emotion)

    def note_tool(self, call: str, now_s: float) -> None:
        """Note something that the device was made to do."""
        self._tell("tool", now_s, call)

    def begin_reply(self) -> None:
        """Handle `tts start`: the queue and what it counted are gone."""
        self._answered = True
        self._queue.clear()

    def show_sentence(self, text: str, now_s: float) -> None:
        """Note a sentence on the display."""
        self._sentences.append(Sentence(text=text, at_ms=self._since_speech_ms(now_s)))
        self._tell("sentence", now_s, text)

    def hear_frame(self, packet: bytes, now_s: float, *, accepted: bool) -> None:
        """Note one frame; `accepted` is false while the device does not speak."""
        if not accepted:
            self._refused += 1
            return
        if not self._queue.put(now_s):
            return
        if "first_audio" not in self._at_ms:
            self._tell("first_audio", now_s)
        if self._keep_audio:
            self._packets.append(packet)

    def end_reply(self, now_s: float) -> bool:
        """Handle `tts stop`; return whether it ended the turn.

        One that comes before anything was answered, while the user still speaks, belongs to the
        turn before.
        """
        if self.ended is not None or (not self._answered and self._speech_ended_s is None):
            return False
        self._tell("end", now_s)
        self.ended = TurnResult(
            transcript=self._transcript,
            emotion=self._emotion,
            sentences=tuple(self._sentences),
            transcript_ms=self._at_ms.get("transcript"),
            first_audio_ms=self._at_ms.get("first_audio"),
            end_ms=self._at_ms["end"],
            gaps=self._queue.gaps,
            gap_ms=self._queue.gap_ms,
            late=self._queue.late,
            dropped=self._queue.dropped,
            refused=self._refused,
            unplayed=self._queue.waiting(now_s),
            frames=self._queue.accepted,
            packets=tuple(self._packets),
        )
        return True

    def _since_speech_ms(self, now_s: float) -> float:
        return 0.0 if self._speech_ended_s is None else (now_s - self._speech_ended_s) * 1000

    def _tell(self, kind: EventKind, now_s: float, text: str = "") -> None:
        at_ms = self._since_speech_ms(now_s)
        self._at_ms.setdefault(kind, at_ms)
        if self._on_event is not None:
            self._on_event(TurnEvent(kind=kind, at_ms=at_ms, text=text))
