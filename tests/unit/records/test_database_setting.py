"""Where the address of the store comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import ConfigError
from dispatcher.settings import load_settings


def test_records_are_kept_in_a_file_of_the_data_folder_unless_told_otherwise() -> None:
    assert load_settings({}).database == "sqlite:///var/records.sqlite3"
    assert load_settings({"DATA_DIR": "/srv/data"}).database == "sqlite:////srv/data/records.sqlite3"
    assert load_settings({"DATABASE_URL": "mysql://db/x"}).database == "mysql://db/x"


def test_the_address_may_come_from_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "database_url"
    secret.write_text("mysql://me:hush@db/x\n", encoding="utf-8")
    assert load_settings({"DATABASE_URL_FILE": str(secret)}).database == "mysql://me:hush@db/x"


def test_settings_in_a_log_show_no_address_of_the_store() -> None:
    assert "hush" not in repr(load_settings({"DATABASE_URL": "mysql://me:hush@db/x"}))


@pytest.mark.parametrize("content", [None, ""])
def test_a_file_without_an_address_is_named(tmp_path: Path, content: str | None) -> None:
    secret = tmp_path / "database_url"
    if content is not None:
        secret.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"DATABASE_URL_FILE: was .*database_url"):
        load_settings({"DATABASE_URL_FILE": str(secret)})


def test_two_addresses_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of the two"):
        load_settings({"DATABASE_URL_FILE": str(tmp_path / "x"), "DATABASE_URL": "mysql://me:hush@db/x"})
