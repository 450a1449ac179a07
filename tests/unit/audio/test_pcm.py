"""PCM: numbers, rates, level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.audio.pcm import SILENCE_DBFS, level_dbfs, resample, to_float32, to_s16le
from tests.unit.audio.sounds import strongest_hz, tone


@given(st.binary(max_size=200).filter(lambda pcm: len(pcm) % 2 == 0))
def test_samples_survive_the_way_to_numbers_and_back(pcm: bytes) -> None:
    assert to_s16le(to_float32(pcm)) == pcm


def test_samples_are_read_as_little_endian_between_minus_one_and_one() -> None:
    assert to_float32(b"\x00\x80\x00\x00\x00\x40").tolist() == [-1.0, 0.0, 0.5]


def test_half_a_sample_at_the_end_is_left_out() -> None:
    assert len(to_float32(bytes(5))) == 2


def test_samples_that_are_too_loud_are_clipped() -> None:
    loud = np.array([-2.0, -1.0, 1.0, 2.0], dtype=np.float32)
    assert np.frombuffer(to_s16le(loud), dtype="<i2").tolist() == [-32768, -32768, 32767, 32767]


@pytest.mark.parametrize(("from_hz", "to_hz"), [(16_000, 24_000), (24_000, 16_000), (22_050, 24_000)])
def test_resampling_keeps_pitch_level_and_length(from_hz: int, to_hz: int) -> None:
    sound = tone(1000, seconds=1, rate_hz=from_hz)
    resampled = resample(sound, from_hz, to_hz)
    assert len(resampled) == pytest.approx(to_hz * 2, abs=4)
    assert strongest_hz(resampled, to_hz) == pytest.approx(1000, abs=2)
    assert level_dbfs(resampled) == pytest.approx(level_dbfs(sound), abs=0.1)


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    assert resample(b"\x01\x02\x03\x04", 16_000, 16_000) == b"\x01\x02\x03\x04"


def test_the_level_is_that_of_the_mean_power() -> None:
    assert level_dbfs(b"\x00\x80" * 100) == 0
    assert level_dbfs(tone(1000, seconds=1, rate_hz=16_000, level=1)) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(tone(1000, seconds=1, rate_hz=16_000, level=0.1)) == pytest.approx(-23.01, abs=0.05)


@pytest.mark.parametrize("pcm", [b"", bytes(320)])
def test_digital_silence_has_the_lowest_level(pcm: bytes) -> None:
    assert level_dbfs(pcm) == SILENCE_DBFS
