"""The health check that containers run, against what they really ask."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from dispatcher.redis_client import keys
from tests.support.broker import Broker
from tests.support.processes import ROOT
from tests.support.redis_server import PASSWORD, PASSWORD_IN_URL, RedisServer, redis_binary
from tests.support.scripted_server import Exchange, ScriptedServer


def check(*arguments: str, broker: Broker | None = None) -> int:
    """Run it as the compose file does and return its exit code."""
    environ = {**os.environ, "REDIS_URL": broker.url if broker else ""}
    command = [sys.executable, "-S", "-E", str(ROOT / "config/docker/healthy.py"), *arguments]
    return subprocess.run(command, env=environ, check=False, capture_output=True).returncode


def test_a_worker_is_well_while_its_queue_is_consumed(broker: Broker) -> None:
    with Redis.from_url(broker.url) as client:
        assert check("queue", "llm", broker=broker) == 1
        client.set(keys.served("llm"), 1, ex=30)
        assert check("queue", "llm", broker=broker) == 0
        assert check("queue", "tts", broker=broker) == 1


def test_beat_is_well_while_its_ticks_are_worked_on(broker: Broker) -> None:
    with Redis.from_url(broker.url) as client:
        assert check("beat", broker=broker) == 1
        client.hset(keys.KPIS, "cpu", "1")
        assert check("beat", broker=broker) == 0


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis as the containers start it, with the password of a secret."""
    secret = tmp_path / "redis_password"
    secret.write_text(f"{PASSWORD}\n")
    server = RedisServer(tmp_path, "guarded")
    binary = Path(redis_binary(tmp_path))
    options = ["--dir", str(tmp_path), "--port", str(server.port), "--bind", "127.0.0.1"]
    server.command = [
        "sh",
        str(ROOT / "config/redis/start.sh"),
        str(ROOT / "config/redis/cache.conf"),
        *options,
    ]
    server.environ = {
        "REDIS_PASSWORD_FILE": str(secret),
        "PATH": f"{binary.parent}{os.pathsep}{os.environ['PATH']}",
    }
    server.start()
    yield server
    server.kill()


def test_a_redis_of_the_containers_has_a_password_that_the_check_knows_and_ps_does_not(
    guarded: RedisServer, tmp_path: Path
) -> None:
    with Redis(port=guarded.port) as stranger, pytest.raises(AuthenticationError):
        stranger.ping()
    with Redis.from_url(guarded.url) as client:
        assert check("queue", "llm", broker=guarded) == 1
        client.set(keys.served("llm"), 1, ex=30)
        assert check("queue", "llm", broker=guarded) == 0
    wrong = Broker.__new__(Broker)
    wrong.url = guarded.url.replace(PASSWORD_IN_URL, "another")
    assert check("queue", "llm", broker=wrong) == 1
    assert PASSWORD not in " ".join(psutil.Process(guarded.pid).cmdline())
    file = tmp_path / "redis_url"
    file.write_text(f"{guarded.url}\n")
    command = [sys.executable, "-S", "-E", str(ROOT / "config/docker/healthy.py"), "queue", "llm"]
    assert subprocess.run(command, env={"REDIS_URL_FILE": str(file)}, check=False).returncode == 0


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
def test_a_server_is_well_when_it_answers_200(status: int, code: int) -> None:
    def script(exchange: Exchange) -> None:
        exchange.answer(status)

    server = ScriptedServer(script)
    assert check("url", f"http://{server.address}/readyz?only=front") == code
    assert server.requests[0].head.startswith("GET /readyz?only=front HTTP/1.0")
    server.close()


def test_a_server_that_is_away_is_not_well() -> None:
    assert check("url", "http://127.0.0.1:9/health") != 0
