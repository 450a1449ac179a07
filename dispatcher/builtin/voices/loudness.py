"""Making two voices equally loud, and pieces of speech fit together without a click."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.builtin.engines import SPEECH_RATE_HZ

# The mean level of what is louder than silence; peaks of speech are some 15 dB above it.
TARGET_RMS: Final = 10 ** (-20 / 20)
MAX_PEAK: Final = 0.97
# -46 dBFS after levelling: breath and the noise floor of both voices are below it.
SILENT: Final = 0.005
LEAD_IN_S: Final = 0.01
LEAD_OUT_S: Final = 0.18
FADE_S: Final = 0.005


def gain_for(sample: NDArray[np.float32]) -> float:
    """Return what to multiply a voice by, measured once on a sample of it: a sentence is never pumped."""
    speech = sample[np.abs(sample) > SILENT]
    if not speech.size:
        return 1.0
    return float(TARGET_RMS / np.sqrt(np.mean(np.square(speech, dtype=np.float64))))


def finished(samples: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
    """Return a piece of speech at the common level, long silence at both ends cut, its edges faded.

    Args:
        samples: float32, shape (frames,), -1..1, at `SPEECH_RATE_HZ`.
        gain: of `gain_for`; lowered for a piece whose peak would be clipped.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak == 0.0:
        return samples[:0]
    levelled = samples * np.float32(min(gain, MAX_PEAK / peak))
    loud = np.flatnonzero(np.abs(levelled) > SILENT)
    if not loud.size:
        return samples[:0]
    start = max(0, loud[0] - round(LEAD_IN_S * SPEECH_RATE_HZ))
    kept = levelled[start : loud[-1] + round(LEAD_OUT_S * SPEECH_RATE_HZ)].copy()
    fade = np.linspace(0, 1, min(round(FADE_S * SPEECH_RATE_HZ), len(kept)), dtype=np.float32)
    kept[: len(fade)] *= fade
    kept[len(kept) - len(fade) :] *= fade[::-1]
    return kept
