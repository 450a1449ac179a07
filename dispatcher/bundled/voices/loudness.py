"""Loudness of the voices, made equal, and edges of pieces of speech, joined without a click."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.bundled.engines import SPEECH_RATE_HZ

# The mean level of what is louder than silence; peaks of speech are some 15 dB above it.
TARGET_RMS: Final = 10 ** (-20 / 20)
MAX_PEAK: Final = 0.97
# -46 dBFS after levelling: breath and the noise floor of both voices are below it.
SILENT: Final = 0.005
LEAD_IN_S: Final = 0.01
LEAD_OUT_S: Final = 0.18
# Between two voices inside one phrase, where nobody would pause.
JOIN_S: Final = 0.04
FADE_S: Final = 0.005


def gain_for(sample: Sequence[NDArray[np.float32]]) -> float:
    """Return what to multiply a voice by, measured once on a sample of it: a sentence is never pumped."""
    samples = np.concatenate([np.zeros(0, np.float32), *sample])
    speech = samples[np.abs(samples) > SILENT]
    if not speech.size:
        return 1.0
    return float(TARGET_RMS / np.sqrt(np.mean(np.square(speech, dtype=np.float64))))


def finished(
    chunks: Iterable[NDArray[np.float32]], gain: float, *, lead_out_s: float = LEAD_OUT_S
) -> Iterator[NDArray[np.float32]]:
    """Yield a piece of speech at the common level, long silence at both ends cut, its edges faded.

    Args:
        chunks: float32, shape (frames,), -1..1, at `SPEECH_RATE_HZ`.
        gain: of `gain_for`; lowered from a chunk on whose peak would be clipped.
        lead_out_s: silence that is left at the end.
    """
    fade = np.linspace(0, 1, round(FADE_S * SPEECH_RATE_HZ), dtype=np.float32)
    # What may be the end is kept back: silence, and the sound before it that a fade would need.
    kept = np.zeros(0, np.float32)
    has_begun = False
    for chunk in chunks:
        gain = min(gain, MAX_PEAK / max(float(np.abs(chunk).max(initial=0.0)), 1e-9))
        kept = np.concatenate([kept, chunk * np.float32(gain)])
        loud = np.flatnonzero(np.abs(kept) > SILENT)
        if not loud.size:
            continue
        if not has_begun:
            kept = _faded_in(kept[max(0, loud[0] - round(LEAD_IN_S * SPEECH_RATE_HZ)) :], fade)
            has_begun = True
            loud = np.flatnonzero(np.abs(kept) > SILENT)
        certain = max(0, (loud[-1] + 1 if loud.size else 0) - len(fade))
        if certain:
            yield kept[:certain]
        kept = kept[certain:]
    if has_begun:
        yield _ended(kept, fade, lead_out_s)


def _faded_in(samples: NDArray[np.float32], fade: NDArray[np.float32]) -> NDArray[np.float32]:
    length = min(len(fade), len(samples))
    return np.concatenate([samples[:length] * fade[:length], samples[length:]])


def _ended(samples: NDArray[np.float32], fade: NDArray[np.float32], lead_out_s: float) -> NDArray[np.float32]:
    """Return the end of a piece with its silence cut, or made up, to the length it should have."""
    loud = np.flatnonzero(np.abs(samples) > SILENT)
    end = (int(loud[-1]) + 1 if loud.size else 0) + round(lead_out_s * SPEECH_RATE_HZ)
    samples = np.pad(samples[:end], (0, max(0, end - len(samples))))
    length = min(len(fade), len(samples))
    samples[len(samples) - length :] *= fade[:length][::-1]
    return samples
