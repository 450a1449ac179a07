"""Speech of the simulated devices of a bench or a chaos test."""

from __future__ import annotations

from typing import Final

from dispatcher.audio.pcm import read_wav
from dispatcher.messages import UPLINK_RATE_HZ
from dispatcher.recordings import recording

SPEECH_S: Final = 1.5


def speech_pcm(*, pause_ms: int = 0) -> bytes:
    """Return the utterance of each device, as s16le at 16 kHz, with a pause in its middle."""
    pcm, _ = read_wav(recording("hello.wav"))
    middle, end = (int(seconds * UPLINK_RATE_HZ) * 2 for seconds in (SPEECH_S / 2, SPEECH_S))
    return pcm[:middle] + bytes(pause_ms * UPLINK_RATE_HZ // 1000 * 2) + pcm[middle:end]
