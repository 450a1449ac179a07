"""Speech for tests, spoken by the voice that the built-in TTS instance uses."""

from __future__ import annotations

import functools
import importlib.util
import os

import pytest

from dispatcher.audio.pcm import resample, to_s16le

RATE_HZ = 16_000


@functools.cache
def say(text: str) -> bytes:
    """Return the spoken text as s16le at 16 kHz, without the silence at its ends."""
    if importlib.util.find_spec("hibari") is None and not os.environ.get("CI"):
        pytest.skip("needs a voice: pip install 'xiaozhi-dispatcher[builtin]'")
    from hibari import SAMPLE_RATE, Hibari  # noqa: PLC0415

    spoken = Hibari()(text, seed=1)
    (loud,) = (abs(spoken) > 0.01).nonzero()
    return resample(to_s16le(spoken[loud[0] : loud[-1] + 1]), SAMPLE_RATE, RATE_HZ)


def silence(seconds: float) -> bytes:
    """Return digital silence."""
    return bytes(round(seconds * RATE_HZ) * 2)
