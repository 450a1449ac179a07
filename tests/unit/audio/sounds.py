"""Sounds that tests are made of."""

from __future__ import annotations

import numpy as np

from dispatcher.audio.pcm import to_s16le


def tone(hz: float, *, seconds: float, rate_hz: int, level: float = 0.5) -> bytes:
    """Return a sine as s16le."""
    at = np.arange(round(seconds * rate_hz), dtype=np.float32) / np.float32(rate_hz)
    return to_s16le(np.sin(2 * np.pi * hz * at).astype(np.float32) * np.float32(level))


def noise(*, seconds: float, rate_hz: int, level_dbfs: float, seed: int = 7) -> bytes:
    """Return white noise as s16le."""
    samples = np.random.default_rng(seed).standard_normal(round(seconds * rate_hz)).astype(np.float32)
    return to_s16le(samples * np.float32(10 ** (level_dbfs / 20)))


def strongest_hz(pcm: bytes, rate_hz: int) -> float:
    """Return the loudest frequency of s16le."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate_hz)[int(spectrum.argmax())])
