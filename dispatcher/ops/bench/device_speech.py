"""Speech of the simulated devices of a bench or a chaos test."""

from __future__ import annotations

from typing import Final

from dispatcher.audio.pcm import read_wav
from dispatcher.messages import UPLINK_RATE_HZ
from dispatcher.recordings import recording

SPEECH_S: Final = 1.5


def speech_pcm() -> bytes:
    """Return the utterance of each device, as s16le at 16 kHz."""
    pcm, _ = read_wav(recording("hello.wav"))
    return pcm[: int(SPEECH_S * UPLINK_RATE_HZ) * 2]
