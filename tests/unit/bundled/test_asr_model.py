"""The choice of the model behind the bundled ASR, and what serves where it cannot be loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.bundled.asr_model import chosen_folder
from dispatcher.bundled.registry import default_engine, prepare
from dispatcher.bundled.timed_engines import TimedAsr
from dispatcher.errors import ConfigError, StartError


@pytest.mark.parametrize(
    ("value", "engines", "folder"),
    [
        ("", "whisper", ""),
        ("whisper", "whisper", ""),
        ("sensevoice", "sensevoice", ""),
        ("sensevoice, whisper", "sensevoice,whisper", ""),
        ("SenseVoice", "sensevoice", ""),
        (" , ", "whisper", ""),
        ("/srv/sense,whisper", "sensevoice,whisper", "/srv/sense"),
    ],
)
def test_it_names_engines_in_their_order_or_a_folder(value: str, engines: str, folder: str) -> None:
    environ = {"ASR_MODEL": value}
    assert default_engine("asr", environ) == engines
    assert chosen_folder(environ) == folder
    assert default_engine("tts", environ) == "voices"


def test_a_word_that_is_neither_is_refused() -> None:
    with pytest.raises(ConfigError, match="ASR_MODEL=paraformer: expected whisper, sensevoice, a folder"):
        default_engine("asr", {"ASR_MODEL": "paraformer"})


def test_the_next_engine_serves_where_the_preferred_one_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASR_MODEL", str(tmp_path))
    prepared = prepare("asr", "sensevoice,timed", {}, may_fail=True)
    assert prepared.name == "sensevoice"
    engine = prepared.load()
    assert (prepared.name, engine.model) == ("timed", TimedAsr.model)
    with pytest.raises(StartError, match=r"expected model\.int8\.onnx or model\.onnx"):
        prepare("asr", "sensevoice", {}).load()
