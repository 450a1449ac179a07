"""Voice activity, by the real model on speech and on what is none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from dispatcher.audio import vad
from dispatcher.audio.pcm import resample, to_float32
from dispatcher.audio.vad import WINDOW_SAMPLES, SileroVad, SpeechMeter
from dispatcher.errors import AudioError
from tests.unit.audio.sounds import noise, tone
from tests.unit.audio.speech import say, silence

QUESTION = "What is the weather like today?"


class LoudnessModel:
    """Says of each window how loud it is; remembers what it was asked."""

    def __init__(self) -> None:
        self.windows: list[NDArray[np.float32]] = []

    def probability(self, window: NDArray[np.float32]) -> float:
        self.windows.append(window)
        return float(np.abs(window).max())

    def reset(self) -> None:
        self.windows.clear()


def share_of_speech(probabilities: list[float]) -> float:
    return sum(probability > 0.5 for probability in probabilities) / len(probabilities)


def test_speech_is_likely_speech() -> None:
    assert share_of_speech(SpeechMeter().feed(say(QUESTION))) > 0.6


@pytest.mark.parametrize(
    "sound",
    [
        noise(seconds=4, rate_hz=16_000, level_dbfs=-30),
        tone(50, seconds=4, rate_hz=16_000, level=0.1),
        silence(4),
    ],
    ids=["noise", "hum", "silence"],
)
def test_noise_hum_and_silence_are_not(sound: bytes) -> None:
    assert max(SpeechMeter().feed(sound)) < 0.5


def test_speech_is_found_in_noise() -> None:
    speech = to_float32(say(QUESTION))
    hiss = to_float32(noise(seconds=len(speech) / 16_000, rate_hz=16_000, level_dbfs=-45))
    model = SileroVad()
    windows = (speech + hiss[: len(speech)])[: len(speech) // 512 * 512].reshape(-1, 512)
    assert share_of_speech([model.probability(window) for window in windows]) > 0.6


def test_probabilities_are_the_same_however_the_sound_was_sliced() -> None:
    sound = say(QUESTION)
    meter = SpeechMeter()
    sliced = [
        probability for at in range(0, len(sound), 999) for probability in meter.feed(sound[at : at + 999])
    ]
    assert sliced == SpeechMeter().feed(sound)
    assert len(sliced) == len(sound) // 2 // WINDOW_SAMPLES


@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
def test_a_meter_that_was_reset_begins_a_new_stream(rate_hz: int) -> None:
    sound = say(QUESTION)
    meter = SpeechMeter(rate_hz)
    first = meter.feed(sound + b"\x01")
    meter.reset()
    assert meter.feed(sound + b"\x01") == first


def test_two_streams_do_not_hear_each_other() -> None:
    alone = SpeechMeter().feed(say(QUESTION))
    one, other = SpeechMeter(), SpeechMeter()
    other.feed(say("Stop the music, please."))
    assert one.feed(say(QUESTION)) == alone


def test_sound_of_another_rate_is_resampled_without_clicks_at_the_seams() -> None:
    sound = resample(say(QUESTION), 16_000, 48_000)
    meter = SpeechMeter(48_000)
    slices = [sound[at : at + 1001] for at in range(0, len(sound), 1001)]
    heard = [probability for part in slices for probability in meter.feed(part)]
    assert heard == pytest.approx(SpeechMeter(48_000).feed(sound), abs=0.02)
    assert share_of_speech(heard) > 0.6


def test_the_model_is_not_asked_about_a_long_silence() -> None:
    model = LoudnessModel()
    meter = SpeechMeter(model=model)
    loud, quiet = tone(300, seconds=0.032, rate_hz=16_000), silence(0.032)
    heard = meter.feed(loud + quiet * 20 + loud)
    assert heard == [pytest.approx(0.5, abs=0.01), *[0.0] * 20, pytest.approx(0.5, abs=0.01)]
    assert len(model.windows) == 2 + 4


def test_the_model_is_asked_about_soft_sound() -> None:
    model = LoudnessModel()
    SpeechMeter(model=model).feed(noise(seconds=0.32, rate_hz=16_000, level_dbfs=-57))
    assert len(model.windows) == 10


def test_a_model_that_is_not_installed_is_named_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vad, "find_spec", lambda _package: None)
    vad._load_session.cache_clear()
    with pytest.raises(AudioError, match=r"pip install 'xiaozhi-dispatcher\[vad\]'"):
        SpeechMeter()


def test_speech_recognition_is_not_loaded_for_its_model() -> None:
    program = (
        "import sys; from dispatcher.audio.vad import SileroVad; SileroVad(); "
        "print('faster_whisper' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"
