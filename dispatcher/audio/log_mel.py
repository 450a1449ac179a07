"""Log-mel spectrogram as Whisper takes it: 80 bands of 25 ms frames, one each 10 ms."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

MEL_RATE_HZ: Final = 16_000
MEL_BANDS: Final = 80
_FRAME: Final = 400
_HOP: Final = 160
# Slaney's scale: even below 1 kHz, logarithmic above it.
_HZ_PER_MEL: Final = 200 / 3
_LINEAR_MELS: Final = 15.0
_MELS_PER_LOG: Final = 27 / np.log(6.4)
_LEAST_POWER: Final = 1e-10
# All below the loudest band by so many decades is one floor.
_RANGE: Final = 8.0


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the spectrogram, shape (80, len(samples) // 160), of samples of mean 0 and variance 1.

    Args:
        samples: at 16 kHz; of any level, which is taken out first.

    Source: the feature extractor of Whisper, with `do_normalize`.
    """
    level = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    padded = np.pad(level, _FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[: len(samples) // _HOP * _HOP : _HOP]
    spectra = np.fft.rfft(frames * _window(), axis=-1)
    power = spectra.real**2 + spectra.imag**2
    logs = np.log10(np.maximum(_filters() @ power.T, _LEAST_POWER))
    spectrogram: NDArray[np.float32] = (np.maximum(logs, logs.max() - _RANGE) + 4) / 4
    return spectrogram


@functools.cache
def _window() -> NDArray[np.float32]:
    return np.hanning(_FRAME + 1)[:-1].astype(np.float32)


@functools.cache
def _filters() -> NDArray[np.float32]:
    """Return triangles of equal area, shape (80, 201)."""
    top = _LINEAR_MELS + np.log(MEL_RATE_HZ / 2 / 1000) * _MELS_PER_LOG
    edges = _to_hz(np.linspace(0, top, MEL_BANDS + 2))[:, None]
    bins = np.linspace(0, MEL_RATE_HZ / 2, _FRAME // 2 + 1)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * 2 / (edges[2:] - edges[:-2])).astype(np.float32)


def _to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithmic = 1000 * np.exp((mels - _LINEAR_MELS) / _MELS_PER_LOG)
    return np.where(mels < _LINEAR_MELS, mels * _HZ_PER_MEL, logarithmic)
