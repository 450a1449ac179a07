"""One URL tells where a Redis is and how it is spoken to."""

from __future__ import annotations

import pytest

from dispatcher.errors import ConfigError
from dispatcher.redis_client.client import connect
from dispatcher.redis_url import kombu_options, kombu_url, parse_redis_url, with_ca_file
from dispatcher.settings import load_settings


def test_a_plain_url_names_one_host_a_database_and_a_password() -> None:
    address = parse_redis_url("redis://:p%40ss@db:6380/2")
    assert (address.hosts, address.database, address.password) == ((("db", 6380),), 2, "p@ss")
    assert (address.tls, address.master_name, str(address)) == (False, "", "db:6380")


def test_what_is_left_out_is_as_redis_has_it() -> None:
    assert parse_redis_url("redis://db").hosts == (("db", 6379),)
    assert parse_redis_url("sentinel://one").hosts == (("one", 26379),)
    assert parse_redis_url("redis://[fd00::1]/0").hosts == (("fd00::1", 6379),)


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://:secret@one:1,two:2/3?master_name=voice",
        "sentinel://:secret@one:1;two:2/3?master_name=voice",
        "sentinel://:secret@one:1;sentinel://two:2/3?master_name=voice",
    ],
)
def test_sentinels_are_written_in_one_url_by_any_habit(url: str) -> None:
    address = parse_redis_url(url)
    assert address.hosts == (("one", 1), ("two", 2))
    assert (address.database, address.password, address.master_name) == (3, "secret", "voice")
    assert str(address) == "one:1, two:2 (sentinel, voice)"


def test_celery_is_told_of_each_sentinel_with_password_and_database() -> None:
    address = parse_redis_url(
        "sentinels://:s%3F@one:1,two:2/3?master_name=voice&ca_file=/ca&sentinel_password=x"
    )
    assert kombu_url(address) == "sentinel://:s%3F@one:1/3;sentinel://:s%3F@two:2/3"
    options = kombu_options(address)
    asked = options["sentinel_kwargs"]
    assert options["master_name"] == "voice"
    assert (asked["password"], asked["ssl"], asked["ssl_ca_certs"]) == ("x", True, "/ca")
    assert asked["socket_timeout"]


def test_both_clients_check_the_certificate_against_the_same_ca() -> None:
    address = parse_redis_url("rediss://db/0?ssl_ca_certs=/etc/ca.pem")
    tls = address.tls_options()
    assert (tls["ssl_ca_certs"], tls["ssl_cert_reqs"]) == ("/etc/ca.pem", "required")
    given = connect("rediss://db/0?ca_file=/etc/ca.pem").connection_pool.connection_kwargs
    assert (given["ssl_ca_certs"], given["ssl_check_hostname"]) == ("/etc/ca.pem", True)


def test_every_wait_of_every_client_is_bounded() -> None:
    for url in ("redis://db", "rediss://db", "sentinel://one,two"):
        ours = connect(url).connection_pool.connection_kwargs
        celerys = kombu_options(parse_redis_url(url))
        for options in (ours, celerys):
            assert options["socket_timeout"]
            assert options["socket_connect_timeout"]
            assert options["socket_keepalive_options"]


def test_the_file_of_the_ca_belongs_to_tls_and_a_url_that_names_its_own_keeps_it() -> None:
    assert with_ca_file("redis://db/0", "/ca") == "redis://db/0"
    assert parse_redis_url(with_ca_file("rediss://db/0", "/a b")).ca_file == "/a b"
    assert parse_redis_url(with_ca_file("sentinels://a,b?master_name=m", "/ca")).ca_file == "/ca"
    assert parse_redis_url(with_ca_file("rediss://db/0?ca_file=/own", "/ca")).ca_file == "/own"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("db:6379", "it does not begin with one of redis://, rediss://, sentinel://, sentinels://"),
        ("http://db", "it does not begin with one of"),
        ("redis://:secret@a,b", "it names 2 hosts, expected one"),
        ("redis://:secret@db:port", "its host or port cannot be used"),
        ("redis://:secret@db/first", "its database is 'first', expected a number"),
        ("redis://:secret@db?ca_file=/ca", "its option 'ca_file' is not known; redis:// takes none"),
        ("rediss://:secret@db?master_name=x", "rediss:// takes ca_file, cert_file, key_file"),
    ],
)
def test_what_cannot_be_used_is_told_by_its_variable_and_never_with_the_password(url: str, said: str) -> None:
    for variable in ("REDIS_URL", "CACHE_URL"):
        with pytest.raises(ConfigError) as caught:
            load_settings({variable: url})
        (problem,) = caught.value.problems
        assert problem.startswith(f"{variable}: cannot be used: ")
        assert said in problem
        assert "secret" not in problem
