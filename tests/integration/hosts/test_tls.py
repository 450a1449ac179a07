"""Redis over the network: a password, TLS, and a certificate that is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.hosts.networked_system import NetworkedSystem
from tests.support.instances import SENTENCES, Instances
from tests.support.redis_server import PASSWORD, TlsRedis, make_certificate


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    """A Redis that speaks nothing but TLS."""
    server = TlsRedis(tmp_path_factory.mktemp("tls"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def system(redis: TlsRedis, tmp_path: Path, instances: Instances) -> Iterator[NetworkedSystem]:
    """A system on it; the URL with the password lies in a file."""
    secret = tmp_path / "redis-url"
    secret.write_text(redis.plain_url)
    environ = {"REDIS_URL_FILE": str(secret), "REDIS_CA_FILE": str(redis.ca_file)}
    system = NetworkedSystem(tmp_path, instances, url=redis.url, environ=environ)
    yield system
    system.stop()


async def test_a_turn_goes_over_tls_from_end_to_end(system: NetworkedSystem, redis: TlsRedis) -> None:
    system.start()
    async with system.front.device("encrypted") as device:
        assert (await device.says()).sentences == SENTENCES
    seen = system.command("status", "--json")
    assert seen.returncode == 0, seen.stderr
    assert json.loads(seen.stdout)
    assert PASSWORD not in system.front.output() + system.worker.output() + redis.output()


def test_a_certificate_of_another_ca_is_refused_and_the_variable_named(
    system: NetworkedSystem, tmp_path: Path
) -> None:
    other, _ = make_certificate(tmp_path, "other")
    refused = system.command("status", REDIS_CA_FILE=str(other))
    assert refused.returncode == 1
    assert "REDIS_CA_FILE" in refused.stderr
    assert PASSWORD not in refused.stderr


def test_a_missing_file_of_the_ca_is_named(system: NetworkedSystem, tmp_path: Path) -> None:
    refused = system.command("status", REDIS_CA_FILE=str(tmp_path / "nowhere.pem"))
    assert refused.returncode != 0
    assert "nowhere.pem" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_wrong_password_is_told_without_the_password(system: NetworkedSystem, redis: TlsRedis) -> None:
    refused = system.command("status", REDIS_URL_FILE="", REDIS_URL=redis.plain_url.replace("pass", "guess"))
    assert refused.returncode == 1
    assert "WRONGPASS" in refused.stderr or "password" in refused.stderr
    assert "guess" not in refused.stderr
