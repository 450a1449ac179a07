from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from dispatcher.bundled.checked_files import CheckedFiles
from dispatcher.bundled.weights import SHA256, find_weights
from dispatcher.errors import StartError

GOOD = b"the weights"
SUM = hashlib.sha256(GOOD).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(GOOD)
    return folder


def checked(folder: Path) -> CheckedFiles:
    return CheckedFiles(folder.parent / "checked.json", {"model.bin": SUM})


def change_unseen(path: Path, content: bytes) -> None:
    """Change a file but neither its size nor its time."""
    assert len(content) == path.stat().st_size
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(content)
    os.utime(path, ns=times)


def test_a_file_with_another_sum_stops_the_start_and_is_named(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"something else")
    was = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(StartError, match=f"{folder}/model.bin has sha256 {was}, expected {SUM}"):
        checked(folder).check(folder)


def test_a_checked_file_is_not_read_again(folder: Path) -> None:
    checked(folder).check(folder)
    change_unseen(folder / "model.bin", b"xxx weights")
    checked(folder).check(folder)


def test_a_file_that_was_touched_is_read_again(folder: Path) -> None:
    checked(folder).check(folder)
    (folder / "model.bin").write_bytes(b"xxx weights")
    with pytest.raises(StartError, match=r"model\.bin has sha256"):
        checked(folder).check(folder)


def test_a_wrong_file_is_not_noted_as_checked(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"xxx weights")
    for _ in range(2):
        with pytest.raises(StartError):
            checked(folder).check(folder)


@pytest.mark.parametrize("broken", ["{", "[]", ""])
def test_broken_notes_only_cost_another_check(folder: Path, broken: str) -> None:
    (folder.parent / "checked.json").write_text(broken)
    checked(folder).check(folder)
    assert SUM in (folder.parent / "checked.json").read_text()


def test_a_folder_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(StartError, match="cannot be written"), checked(tmp_path / "models" / "x").lock():
        pass


def test_a_named_folder_without_the_files_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=f"WHISPER_DIR={tmp_path}/none: config.json, model.bin"):
        find_weights(data_dir=tmp_path, named_dir=tmp_path / "none")


def test_a_named_folder_with_other_weights_stops_the_start(tmp_path: Path) -> None:
    for name in SHA256:
        (tmp_path / name).write_bytes(GOOD)
    with pytest.raises(StartError, match=r"config\.json has sha256"):
        find_weights(data_dir=tmp_path / "var", named_dir=tmp_path)
