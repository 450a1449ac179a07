"""A command that is typed beside what runs here is about the same YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.supervisor.resolve_settings import console_turn_url, ota_url, resolve_settings
from dispatcher.supervisor.state_file import RunningProcess, StateFile, find_up


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a `dispatcher up` that was started with mine.yaml."""
    with StateFile(tmp_path, config=Path("/etc/mine.yaml")) as upfile:
        upfile.write([])
        yield tmp_path


def test_the_yaml_of_what_runs_here_is_meant_where_none_is_named(running: Path) -> None:
    assert resolve_settings(environ={"DATA_DIR": str(running)}).dispatcher_config == Path("/etc/mine.yaml")


def test_a_file_that_is_named_wins_and_so_does_the_environment(running: Path) -> None:
    environ = {"DATA_DIR": str(running), "DISPATCHER_CONFIG": "other.yaml"}
    assert resolve_settings(environ=environ).dispatcher_config == Path("other.yaml")
    assert resolve_settings(Path("third.yaml"), environ=environ).dispatcher_config == Path("third.yaml")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """The data folder of `FRONT_PORT=8003 BROKER_PORT=7000 FLOWER_PORT=5556 make run`."""
    with StateFile(tmp_path) as upfile:
        upfile.write(
            [
                RunningProcess(name="broker", pid=1, port=7000, role="broker", host="127.0.0.1"),
                RunningProcess(name="front", pid=1, port=8003, role="front", host="0.0.0.0"),
                RunningProcess(name="second", pid=1, port=8004, role="front", host="0.0.0.0"),
                RunningProcess(name="flower", pid=1, port=5556, role="flower", host="127.0.0.1"),
                RunningProcess(name="console", pid=1, port=8011, role="console", host="127.0.0.1"),
                RunningProcess(name="llm", pid=1, port=None, role="worker"),
            ]
        )
        yield tmp_path


def test_the_addresses_of_what_runs_here_are_meant_where_none_is_named(elsewhere: Path) -> None:
    settings = resolve_settings(environ={"DATA_DIR": str(elsewhere)})
    assert (settings.front_port, settings.broker_port, settings.flower_port) == (8003, 7000, 5556)
    assert ":7000/" in settings.redis_url
    assert ota_url(settings) == "http://127.0.0.1:8003/xiaozhi/ota/"
    assert console_turn_url(settings, "aa:bb") == "http://127.0.0.1:8011/#device=aa%3Abb"


def test_an_address_that_is_named_wins(elsewhere: Path) -> None:
    environ = {"DATA_DIR": str(elsewhere), "FRONT_PORT": "8004", "REDIS_URL": "redis://nas:1/0"}
    settings = resolve_settings(environ=environ)
    assert (settings.front_port, settings.redis_url) == (8004, "redis://nas:1/0")
    assert settings.flower_port == 5556


def test_where_nothing_runs_the_usual_file_is_meant(tmp_path: Path) -> None:
    assert console_turn_url(resolve_settings(environ={"DATA_DIR": str(tmp_path)}), "aa:bb") == ""
    with StateFile(tmp_path, config=Path("/etc/mine.yaml")) as upfile:
        upfile.write([])
    assert resolve_settings(environ={"DATA_DIR": str(tmp_path)}).dispatcher_config == Path(
        "config/embedded.yaml"
    )


def test_an_up_of_an_earlier_version_names_no_yaml(tmp_path: Path) -> None:
    with StateFile(tmp_path) as upfile:
        upfile.write([])
        found = find_up(tmp_path)
        assert found is not None
        assert found.config is None
        assert resolve_settings(environ={"DATA_DIR": str(tmp_path)}).dispatcher_config.name == "embedded.yaml"
