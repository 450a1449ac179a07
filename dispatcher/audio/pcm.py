"""PCM: samples as numbers, other rates, level."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from dispatcher.audio.wav import wav_bytes
from dispatcher.audio.wav_reader import read_wav

__all__ = [
    "SILENCE_DBFS",
    "Resampler",
    "level_dbfs",
    "read_wav",
    "resample",
    "to_float32",
    "to_s16le",
    "wav_bytes",
]

# One step of 16 bits; what is called the level of digital silence, where the logarithm has none.
SILENCE_DBFS: Final = -96.0
_FULL_SCALE: Final = 32768.0


def to_float32(pcm: bytes) -> NDArray[np.float32]:
    """Return the samples as float32, shape (frames,), -1..1; half a sample at the end is left out."""
    samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2)
    return samples.astype(np.float32) / np.float32(_FULL_SCALE)


def to_s16le(samples: NDArray[np.float32]) -> bytes:
    """Return samples in -1..1 as s16le; louder ones are clipped, not wrapped."""
    scaled = np.rint(samples * np.float32(_FULL_SCALE))
    clipped = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1)
    data: bytes = clipped.astype("<i2").tobytes()
    return data


def resample(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """Return the whole sound at another rate; unchanged when the rates are equal.

    For sound that comes in slices use a stream: each slice on its own would click at the seams.
    """
    if from_hz == to_hz:
        return pcm
    samples: NDArray[np.float32] = soxr.resample(to_float32(pcm), from_hz, to_hz)
    return to_s16le(samples)


class Resampler:
    """Brings sound that comes in slices to another rate, without a click at the seams.

    The last few milliseconds stay inside it: they are silence where an utterance has ended.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Take slices of one sound; where the rates are equal they stay as they are."""
        self._stream = None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32")

    def feed(self, pcm: bytes) -> bytes:
        """Return what is ready of the sound so far."""
        return pcm if self._stream is None else to_s16le(self._stream.resample_chunk(to_float32(pcm)))


def level_dbfs(pcm: bytes) -> float:
    """Return the mean level: 0 for a full-scale square wave, `SILENCE_DBFS` at least."""
    samples = to_float32(pcm)
    power = float(np.dot(samples, samples)) / max(len(samples), 1)
    return max(10 * math.log10(power), SILENCE_DBFS) if power > 0 else SILENCE_DBFS
