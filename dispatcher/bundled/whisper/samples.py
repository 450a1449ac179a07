"""What Whisper hears: any WAV file as mono samples at one rate."""

from __future__ import annotations

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from dispatcher.audio.pcm import read_wav, to_float32
from dispatcher.errors import AudioError

HEARING_RATE_HZ: Final = 16_000
MIN_RATE_HZ: Final = 4000
MAX_RATE_HZ: Final = 192_000


def samples_of(wav: bytes) -> tuple[NDArray[np.float32], float]:
    """Return a WAV file as float32, shape (frames,), -1..1, at `HEARING_RATE_HZ`, and its length in s.

    Raises:
        AudioError: the bytes are no WAV file, or of a rate that no speech has.
    """
    pcm, rate_hz = read_wav(wav)
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise AudioError(f"WAV of {rate_hz} Hz; expected {MIN_RATE_HZ} to {MAX_RATE_HZ}")
    samples = to_float32(pcm)
    resampled: NDArray[np.float32] = soxr.resample(samples, rate_hz, HEARING_RATE_HZ)
    return resampled.astype(np.float32, copy=False), len(samples) / rate_hz
