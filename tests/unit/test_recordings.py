"""The recordings that ship."""

from __future__ import annotations

import numpy as np
import pytest

from dispatcher.audio.pcm import level_dbfs, read_wav, to_s16le
from dispatcher.errors import AudioError
from dispatcher.recordings import names, recording
from dispatcher.recordings.make import LEVEL_DBFS, PHRASES, finish

RATES_HZ = {
    "admit_en.wav": 24_000,
    "admit_zh.wav": 24_000,
    "busy_en.wav": 24_000,
    "busy_zh.wav": 24_000,
    "cut_en.wav": 24_000,
    "cut_zh.wav": 24_000,
    "done_en.wav": 24_000,
    "done_zh.wav": 24_000,
    "hello.wav": 16_000,
    "sorry_en.wav": 24_000,
    "sorry_zh.wav": 24_000,
    "spent_en.wav": 24_000,
    "spent_zh.wav": 24_000,
}


def test_what_ships_is_what_can_be_made_anew() -> None:
    assert names() == tuple(sorted(RATES_HZ)) == tuple(sorted(phrase.name for phrase in PHRASES))


@pytest.mark.parametrize("name", RATES_HZ)
def test_a_recording_is_short_loud_enough_and_at_its_rate(name: str) -> None:
    pcm, rate_hz = read_wav(recording(name))

    assert rate_hz == RATES_HZ[name]
    assert 1.5 < len(pcm) / 2 / rate_hz <= 3.5
    assert level_dbfs(pcm) == pytest.approx(LEVEL_DBFS, abs=1)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(AudioError, match=r"done_zh\.wav, hello\.wav, sorry_en\.wav"):
        recording("../settings.py")


def test_finishing_cuts_silence_and_sets_the_level() -> None:
    tone = 0.05 * np.sin(np.arange(24_000) * 0.1, dtype=np.float32)
    quiet = np.zeros(24_000, dtype=np.float32)

    pcm, rate_hz = read_wav(finish(to_s16le(np.concatenate([quiet, tone, quiet])), PHRASES[1]))

    assert rate_hz == 24_000
    assert len(pcm) / 2 / rate_hz == pytest.approx(1.12, abs=0.01)
    assert level_dbfs(pcm) == pytest.approx(LEVEL_DBFS, abs=0.1)


def test_finishing_never_clips() -> None:
    click = np.zeros(2400, dtype=np.float32)
    click[::100] = 0.5

    pcm, _ = read_wav(finish(to_s16le(click), PHRASES[1]))

    assert max(abs(int(sample)) for sample in np.frombuffer(pcm, "<i2")) <= 0.95 * 32768 + 1
