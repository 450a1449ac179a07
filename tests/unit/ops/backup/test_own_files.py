"""Files of a backup on their way out and back, and the note of the last one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dispatcher.errors import BackupError
from dispatcher.ops.backup.last_backup import note_backup, read_last_backup
from dispatcher.ops.backup.own_files import KEPT, YAML_MEMBER, places, read_files, replace_file
from dispatcher.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "var", dispatcher_config=tmp_path / "config" / "mine.yaml")


def test_only_files_that_exist_are_read(settings: Settings) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "auth.key").write_bytes(b"k")

    assert list(read_files(settings)) == [("files/auth.key", b"k")]


def test_a_key_comes_back_for_its_owner_alone_and_the_yaml_for_all(settings: Settings) -> None:
    for name, path in places(settings).items():
        assert replace_file(name, path, b"new") == f"{path} restored"

    modes = {name: stat.S_IMODE(path.stat().st_mode) & 0o077 for name, path in places(settings).items()}
    assert {name for name, mode in modes.items() if mode} <= {YAML_MEMBER}


def test_the_file_before_is_kept_and_the_same_one_is_left_alone(settings: Settings) -> None:
    name, path = next(iter(places(settings).items()))
    replace_file(name, path, b"old")

    assert replace_file(name, path, b"new").endswith(f"the one before is {path.name}{KEPT}")
    assert path.with_name(path.name + KEPT).read_bytes() == b"old"
    assert replace_file(name, path, b"new") == f"{path} is the same"


def test_a_place_that_cannot_be_written_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where the folder belongs")

    with pytest.raises(BackupError, match="cannot be written"):
        replace_file("files/auth.key", settings.data_dir / "auth.key", b"k")


def test_the_last_backup_is_known_until_its_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "monday.tar.gz"
    file.write_bytes(b"12345")
    assert read_last_backup(tmp_path) is None

    noted = note_backup(tmp_path, file)

    assert read_last_backup(tmp_path) == noted
    assert noted.exists
    file.write_bytes(b"123")
    assert not noted.exists
    assert noted.in_words() == f"{file}, 0 h old, not there any more"
