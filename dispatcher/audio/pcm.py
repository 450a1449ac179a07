"""PCM: samples as numbers, conversion between rates, level."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from dispatcher.audio.wav import EXPECTED, FLOAT, INTEGER, WavHeader, parse_wav
from dispatcher.errors import AudioError

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


def read_wav(data: bytes) -> tuple[bytes, int]:
    """Return a WAV file as s16le mono PCM and its sample rate in Hz; stereo is averaged.

    Raises:
        AudioError: not WAV, or samples of another kind; says what it was and what was expected.
    """
    wav, body = parse_wav(data)
    if wav.channels not in {1, 2}:
        raise AudioError(_unexpected(wav))
    samples = wav_samples(body, wav)
    if wav.channels == 2:
        samples = samples.reshape(-1, 2).mean(axis=1)
    return rounded(samples), wav.sample_rate_hz


def wav_samples(body: bytes, wav: WavHeader) -> NDArray[np.float64]:
    """Return samples of a WAV file on the scale of 16 bits, shape (frames * channels,); a part is left out.

    Raises:
        AudioError: samples of another kind than is read here; says which, and what was expected.
    """
    convert = _SAMPLE_CONVERTERS.get((wav.code, wav.bits))
    if convert is None:
        raise AudioError(_unexpected(wav))
    return convert(body[: len(body) // wav.frame_bytes * wav.frame_bytes])


def rounded(samples: NDArray[np.float64]) -> bytes:
    """Return samples on the scale of 16 bits as s16le; louder ones are clipped, and no number is silence."""
    clipped = np.clip(np.rint(np.nan_to_num(samples)), -32768, 32767)
    return bytes(clipped.astype("<i2").tobytes())


def _unexpected(wav: WavHeader) -> str:
    kind = f"format {wav.code}, {wav.bits} bits, {wav.channels} channels"
    return f"WAV of {kind}; expected {EXPECTED}"


def _from_s24(body: bytes) -> NDArray[np.float64]:
    low, middle, high = np.frombuffer(body, dtype=np.uint8).reshape(-1, 3).T.astype(np.float64)
    value = low + middle * 2**8 + high * 2**16
    return np.where(value >= 2**23, value - 2**24, value) / 2**8


# (format code, bits) -> samples on the scale of 16 bits.
_SAMPLE_CONVERTERS: Final[dict[tuple[int, int], Callable[[bytes], NDArray[np.float64]]]] = {
    (INTEGER, 8): lambda body: (np.frombuffer(body, dtype=np.uint8).astype(np.float64) - 128) * 256,
    (INTEGER, 16): lambda body: np.frombuffer(body, dtype="<i2").astype(np.float64),
    (INTEGER, 24): _from_s24,
    (INTEGER, 32): lambda body: np.frombuffer(body, dtype="<i4").astype(np.float64) / 2**16,
    (FLOAT, 32): lambda body: np.frombuffer(body, dtype="<f4").astype(np.float64) * 32768,
}


def resample(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """Return the whole sound at another rate; unchanged when the rates are equal.

    For sound that comes in slices use a `Resampler`: each slice on its own would click at the seams.
    """
    return pcm if from_hz == to_hz else to_s16le(resample_samples(to_float32(pcm), from_hz, to_hz))


def resample_samples(samples: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Return the whole sound, as samples, at another rate."""
    resampled: NDArray[np.float32] = soxr.resample(samples, from_hz, to_hz)
    return resampled.astype(np.float32, copy=False)


class Resampler:
    """Conversion of sound that comes in slices to another rate, without a click at the seams.

    The last few milliseconds stay inside it: they are silence where an utterance has ended.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Take slices of one sound; where the rates are equal they stay as they are."""
        self._stream = None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32")

    def feed(self, pcm: bytes) -> bytes:
        """Return the PCM that is ready of the sound so far."""
        return pcm if self._stream is None else to_s16le(self.feed_samples(to_float32(pcm)))

    def feed_samples(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the samples that are ready of the sound so far."""
        return samples if self._stream is None else self._stream.resample_chunk(samples)

    def reset(self) -> None:
        """Begin another sound."""
        if self._stream is not None:
            self._stream.clear()


def level_dbfs(pcm: bytes) -> float:
    """Return the mean level: 0 for a full-scale square wave, `SILENCE_DBFS` at least."""
    samples = to_float32(pcm)
    power = float(np.dot(samples, samples)) / max(len(samples), 1)
    return max(10 * math.log10(power), SILENCE_DBFS) if power > 0 else SILENCE_DBFS
