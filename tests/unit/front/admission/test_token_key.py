"""The key of the tokens: where it lies, and what stops the start."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dispatcher.errors import StartError
from dispatcher.front.admission.token_key import KEY_FILE, load_key
from dispatcher.settings import Settings


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new" / "folder")
    key = load_key(settings)
    assert len(key) >= 32
    assert load_key(settings) == key
    assert stat.S_IMODE((settings.data_dir / KEY_FILE).stat().st_mode) == 0o600


def test_no_two_folders_make_the_same_key(tmp_path: Path) -> None:
    one, other = (load_key(Settings(data_dir=tmp_path / name)) for name in ("one", "other"))
    assert one != other


def test_an_empty_key_stops_the_start_instead_of_letting_everyone_in(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).touch()
    with pytest.raises(StartError, match="holds 0 bytes, expected at least 32"):
        load_key(Settings(data_dir=tmp_path))


def test_a_key_file_that_is_named_comes_before_the_folder_and_is_never_made(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    settings = Settings(data_dir=tmp_path, front_token_key_file=str(file))
    with pytest.raises(StartError, match="secret"):
        load_key(settings)
    file.write_bytes(b"s" * 40)
    assert load_key(settings) == b"s" * 40
    assert not (tmp_path / KEY_FILE).exists()
