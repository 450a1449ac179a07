from __future__ import annotations

import numpy as np
import pytest

from dispatcher.bundled.transcription_pool import MODEL_RATE_HZ, samples_of
from dispatcher.bundled.whisper.decoder import FULL_FRAMES, window_frames
from dispatcher.bundled.whisper.speech_spans import joined_spans, speech_pieces
from dispatcher.errors import AudioError
from tests.unit.bundled.instances import wav_of


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8000, 1), (16_000, 1), (24_000, 2), (48_000, 2), (44_100, 1)]
)
def test_any_wav_becomes_mono_at_the_models_rate(rate_hz: int, channels: int) -> None:
    time_s = np.arange(rate_hz) / rate_hz
    tone = (10_000 * np.sin(2 * np.pi * 440 * time_s)).astype("<i2")
    samples, duration_s = samples_of(wav_of(np.repeat(tone, channels).tobytes(), rate_hz, channels))
    spectrum = np.abs(np.fft.rfft(samples))
    assert samples.dtype == np.float32
    assert duration_s == pytest.approx(1.0)
    assert len(samples) == pytest.approx(MODEL_RATE_HZ, abs=2)
    assert np.argmax(spectrum) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("rate_hz", [0, 1000, 1_000_000])
def test_a_rate_that_no_speech_has_is_refused(rate_hz: int) -> None:
    wav = bytearray(wav_of(bytes(320)))
    wav[24:28] = rate_hz.to_bytes(4, "little")
    with pytest.raises(AudioError, match=f"WAV of {rate_hz} Hz"):
        samples_of(bytes(wav))


@pytest.mark.parametrize("seconds", [0, 0.01, 1, 3])
def test_silence_and_noise_hold_no_speech(seconds: float) -> None:
    noise = np.random.default_rng(seed=1).normal(0, 0.02, int(seconds * MODEL_RATE_HZ))
    assert speech_pieces(noise.astype(np.float32)) == []
    assert speech_pieces(np.zeros_like(noise, dtype=np.float32)) == []


def test_neighbouring_speech_is_one_piece_until_it_is_too_long() -> None:
    spans = [(0, 10), (12, 20), (25, 31), (40, 45)]
    assert joined_spans(spans, longest=30) == [(0, 20), (25, 45)]
    assert joined_spans(spans, longest=100) == [(0, 45)]
    assert joined_spans([], longest=30) == []


@pytest.mark.parametrize(
    ("speech", "frames"), [(0, 1000), (300, 1000), (700, 1200), (2400, 2900), (2900, FULL_FRAMES)]
)
def test_the_window_is_no_longer_than_needed(speech: int, frames: int) -> None:
    assert window_frames(speech) == frames
