"""Steps of a turn, for its front to carry out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from dispatcher.dialogue.emotion import Emotion

Stage = Literal["asr", "llm", "tts"]


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
    """A stage is late, broke off or was lost with its worker: send it once more.

    Attributes:
        index: for tts the sentence; for a reply that broke off the one that it goes on with.
        text: for tts that of the sentence; for a reply that broke off all of it so far.
    """

    stage: Stage
    attempt: int
    index: int = 0
    text: str = ""
    is_lost: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Finish:
    """All speech was handed over; the turn ends when it is played out."""


@dataclass(frozen=True, slots=True)
class Apologise:
    """Nothing can be spoken; the reason is for the log, the class of its error for what is said."""

    reason: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class BreakOff:
    """The answer ends before its end: say so; the reason is for the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class AskForFiller:
    """Nothing of the answer is audible yet: have a filler spoken under that attempt."""

    attempt: int


@dataclass(frozen=True, slots=True)
class PlayFiller:
    """Packed audio of the filler, before that of the answer."""

    packets: bytes


Step = (
    ShowTranscript
    | ShowEmotion
    | Subtitle
    | Play
    | CallTool
    | SendAgain
    | Finish
    | Apologise
    | BreakOff
    | AskForFiller
    | PlayFiller
)
