"""Features and model of finished sentences."""

from __future__ import annotations

import hashlib
import http.client
import io
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from dispatcher.audio import smart_turn
from dispatcher.audio.log_mel import log_mel
from dispatcher.audio.pcm import to_float32
from dispatcher.audio.smart_turn import MODEL_NAME, SmartTurn, find_model
from dispatcher.errors import AudioError
from tests.support.smart_turn import LONG, MODEL, SHORT
from tests.unit.audio.sounds import tone

RATE_HZ = 16_000


def test_the_spectrogram_has_a_frame_of_80_bands_each_10_ms() -> None:
    spectrogram = log_mel(np.zeros(RATE_HZ * 8, np.float32))
    assert spectrogram.shape == (80, 800)
    assert spectrogram.dtype == np.float32


def test_a_tone_is_loudest_in_the_band_of_its_frequency() -> None:
    # Slaney's scale has 15 mels below 1 kHz and 30.2 in the 8 kHz above: 80 bands, the 27th is around 1 kHz.
    spectrogram = log_mel(to_float32(tone(hz=1000, seconds=1, rate_hz=RATE_HZ)))
    assert set(spectrogram[:, 20:80].argmax(axis=0)) <= {26, 27}


def test_the_level_of_the_sound_does_not_matter() -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, RATE_HZ).astype(np.float32)
    assert np.allclose(log_mel(sound), log_mel(sound * 0.3), atol=1e-3)


def test_a_model_says_how_likely_a_sentence_is_finished() -> None:
    model = SmartTurn(MODEL)
    assert model.finished(LONG, RATE_HZ) > 0.9
    assert model.finished(SHORT, RATE_HZ) < 0.1


def test_only_the_last_eight_seconds_are_judged() -> None:
    model = SmartTurn(MODEL)
    padded = bytes(RATE_HZ * 2 * 8) + SHORT
    assert model.finished(SHORT * 20 + padded[-RATE_HZ * 16 :], RATE_HZ) == model.finished(SHORT, RATE_HZ)


def test_a_file_or_its_folder_is_taken_where_it_is_named(tmp_path: Path) -> None:
    assert find_model(MODEL, data_dir=tmp_path) == MODEL
    assert find_model(MODEL.parent, data_dir=tmp_path) == MODEL
    with pytest.raises(AudioError, match=f"SMART_TURN_MODEL=.*nothing.*expected {MODEL_NAME}"):
        find_model(tmp_path / "nothing", data_dir=tmp_path)


def test_the_package_of_pipecat_has_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = tmp_path / "pipecat/audio/turn/smart_turn/data" / MODEL_NAME
    packaged.parent.mkdir(parents=True)
    packaged.write_bytes(MODEL.read_bytes())
    (tmp_path / "pipecat/__init__.py").write_text("raise ImportError('it is not to be imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_model(None, data_dir=tmp_path / "data") == packaged


def test_the_hub_is_asked_once_and_by_its_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def urlopen(url: str, *, timeout: float) -> io.BytesIO:
        assert timeout < 10
        fetched.append(url)
        return io.BytesIO(b"a model")

    monkeypatch.setattr(smart_turn, "find_spec", lambda _: None)
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(AudioError, match=r"has sha256 .*, expected 2bb026"):
        find_model(None, data_dir=tmp_path)
    monkeypatch.setattr(smart_turn, "MODEL_SHA256", hashlib.sha256(b"a model").hexdigest())
    paths = [find_model(None, data_dir=tmp_path) for _ in range(2)]
    assert [path.read_bytes() for path in paths] == [b"a model"] * 2
    assert len(fetched) == 2


@pytest.mark.parametrize(
    "failure", [urllib.error.URLError("no network"), http.client.IncompleteRead(b"half")]
)
def test_a_model_that_is_nowhere_is_asked_for_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def urlopen(*_: object, **__: object) -> io.BytesIO:
        raise failure

    monkeypatch.setattr(smart_turn, "find_spec", lambda _: None)
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(AudioError, match="pip install --no-deps pipecat-ai, or name the file in SMART_TURN"):
        find_model(None, data_dir=tmp_path)


@pytest.mark.parametrize("content", [b"", b"no model"])
def test_a_file_that_is_no_model_is_an_error_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / MODEL_NAME
    path.write_bytes(content)
    with pytest.raises(AudioError, match=f"{MODEL_NAME} is no model of Smart Turn"):
        SmartTurn(path)


def test_another_model_is_an_error_with_what_it_takes() -> None:
    with pytest.raises(AudioError, match=r"it takes .*, expected input_features"):
        SmartTurn(MODEL.parent.parent / "sense_voice_model" / "model.onnx")
