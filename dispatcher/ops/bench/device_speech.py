"""What the devices of a bench or a trial say, and how it is told that they had no answer."""

from __future__ import annotations

from typing import Final

from dispatcher.audio.pcm import read_wav
from dispatcher.device_simulator import TurnResult
from dispatcher.front.connection.apology import TEXTS
from dispatcher.messages import UPLINK_RATE_HZ
from dispatcher.recordings import recording

SPEECH_S: Final = 1.5


def is_apology(result: TurnResult) -> bool:
    """Return whether the front had no answer and said so."""
    return any(sentence.text in TEXTS.values() for sentence in result.sentences)


def speech_pcm() -> bytes:
    """Return what each device says, as s16le at 16 kHz."""
    pcm, _ = read_wav(recording("hello.wav"))
    return pcm[: int(SPEECH_S * UPLINK_RATE_HZ) * 2]
