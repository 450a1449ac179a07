"""The health check that containers run, against what they really ask."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from redis import Redis

from dispatcher.state import keys
from tests.support.broker import Broker
from tests.support.processes import ROOT
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
