"""The environment of one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import ConfigError
from dispatcher.redis_url import parse_redis_url
from dispatcher.settings import DEFAULT_REDIS_URL, Settings, load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a checkout in which `make run` has made a password."""
    monkeypatch.chdir(tmp_path)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load_settings({}) == Settings()


def test_each_variable_sets_the_field_of_its_name() -> None:
    settings = load_settings(
        {
            "REDIS_URL": "redis://db:6379/1",
            "DISPATCHER_CONFIG": "config/mine.yaml",
            "FRONT_PORT": "8080",
            "FRONT_AUTH": "off",
            "IDLE_TIMEOUT_S": "12.5",
            "TASK_EVENTS": "true",
            "LOG_FORMAT": "json",
        }
    )
    assert (settings.redis_url, settings.front_port, settings.front_auth) == (
        "redis://db:6379/1",
        8080,
        "off",
    )
    assert settings.dispatcher_config == Path("config/mine.yaml")
    assert (settings.idle_timeout_s, settings.task_events, settings.log_format) == (12.5, True, "json")


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_settings({"FRONT_PORT": "", "REDIS_URL": ""}).redis_url == DEFAULT_REDIS_URL


def test_variables_of_other_programs_are_left_alone() -> None:
    assert load_settings({"PATH": "/bin", "front_port": "1", "HOME": "/root"}) == Settings()


def test_the_process_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_ID", "front-7")
    assert load_settings().server_id == "front-7"


def test_the_cache_lives_on_the_brokers_server_unless_it_has_its_own() -> None:
    assert load_settings({"REDIS_URL": "redis://a"}).cache == "redis://a"
    assert load_settings({"REDIS_URL": "redis://a", "CACHE_URL": "redis://b"}).cache == "redis://b"


def test_the_brokers_port_moves_the_default_address_and_never_a_given_one() -> None:
    assert load_settings({"BROKER_PORT": "7000"}).redis_url == "redis://127.0.0.1:7000/0"
    assert load_settings({"BROKER_PORT": "7000", "REDIS_URL": "redis://a"}).redis_url == "redis://a"


@pytest.mark.parametrize("name", ["redis_url", "cache_url"])
def test_a_url_with_a_password_may_lie_in_a_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / "url"
    file.write_text("rediss://:secret@db:6379/0\n")
    settings = load_settings({f"{name.upper()}_FILE": str(file), "REDIS_CA_FILE": str(file)})
    assert parse_redis_url(getattr(settings, name)).ca_file == str(file)
    assert "secret" not in repr(settings)


def test_a_process_follows_redis_where_it_is_elsewhere_and_no_file_was_named() -> None:
    assert load_settings({"REDIS_URL": "redis://db"}).follows_redis
    assert not load_settings({}).follows_redis
    assert not load_settings({"BROKER_PORT": "7000"}).follows_redis
    assert not load_settings({"REDIS_URL": "redis://db", "DISPATCHER_CONFIG": "mine.yaml"}).follows_redis


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BROKER_PORT", "0"),
        ("FRONT_PORT", "0"),
        ("FRONT_PORT", "65536"),
        ("FRONT_PORT", "http"),
        ("FRONT_AUTH", "none"),
        ("MAX_DEVICES", "0"),
        ("QUEUE_LIMIT", "-1"),
        ("IDLE_TIMEOUT_S", "0"),
        ("DRAIN_S", "-1"),
        ("TASK_EVENTS", "perhaps"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_variable_is_named_with_what_it_was(variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({variable: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{variable}: was {value!r}; ")


def test_all_wrong_variables_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"FRONT_PORT": "0", "LOG_LEVEL": "loud", "DRAIN_S": "5"})
    assert [line.split(":")[0] for line in caught.value.problems] == ["FRONT_PORT", "LOG_LEVEL"]


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings({}).front_port = 1  # type: ignore[misc]  # the point of the test


def test_trusted_proxies_are_addresses_and_networks_by_comma() -> None:
    settings = load_settings({"TRUSTED_PROXIES": "127.0.0.1, 172.28.0.0/24,::1"})

    assert [str(each) for each in settings.trusted_proxies] == ["127.0.0.1/32", "172.28.0.0/24", "::1/128"]


def test_a_trusted_proxy_that_is_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="TRUSTED_PROXIES: was 'nginx'"):
        load_settings({"TRUSTED_PROXIES": "127.0.0.1,nginx"})
