"""A command that is typed beside what runs here is about the same YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.cli.settings_here import settings_here
from dispatcher.cli.supervisor.upfile import UpFile, find_up


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a `dispatcher up` that was started with mine.yaml."""
    with UpFile(tmp_path, config=Path("/etc/mine.yaml")) as upfile:
        upfile.write([])
        yield tmp_path


def test_the_yaml_of_what_runs_here_is_meant_where_none_is_named(running: Path) -> None:
    assert settings_here(environ={"DATA_DIR": str(running)}).dispatcher_config == Path("/etc/mine.yaml")


def test_a_file_that_is_named_wins_and_so_does_the_environment(running: Path) -> None:
    environ = {"DATA_DIR": str(running), "DISPATCHER_CONFIG": "other.yaml"}
    assert settings_here(environ=environ).dispatcher_config == Path("other.yaml")
    assert settings_here(Path("third.yaml"), environ=environ).dispatcher_config == Path("third.yaml")


def test_where_nothing_runs_the_usual_file_is_meant(tmp_path: Path) -> None:
    with UpFile(tmp_path, config=Path("/etc/mine.yaml")) as upfile:
        upfile.write([])
    assert settings_here(environ={"DATA_DIR": str(tmp_path)}).dispatcher_config == Path(
        "config/embedded.yaml"
    )


def test_an_up_of_an_earlier_version_names_no_yaml(tmp_path: Path) -> None:
    with UpFile(tmp_path) as upfile:
        upfile.write([])
        found = find_up(tmp_path)
        assert found is not None
        assert found.config is None
        assert settings_here(environ={"DATA_DIR": str(tmp_path)}).dispatcher_config.name == "embedded.yaml"
