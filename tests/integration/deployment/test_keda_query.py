"""KEDA's question about a queue, put to the Redis of the manifests while turns wait in it.

Source: KEDA, scaler `redis`: the type of the key, then its length, in one script.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from celery import Celery
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from dispatcher import chains
from dispatcher.messages import RESPOND, SERVICES
from tests.support.broker import Broker, server_path
from tests.support.front_side import FrontSide
from tests.support.processes import ROOT
from tests.support.redis_server import PASSWORD, PASSWORD_IN_URL

MANIFESTS: Final = ROOT / "config" / "kubernetes"
SECRETS: Final = "/run/secrets/xiaozhi"
QUERY: Final = """
local sizes = {list = 'LLEN', none = 'LLEN', hash = 'HLEN', set = 'SCARD', zset = 'ZCARD'}
return redis.call(sizes[redis.call('TYPE', KEYS[1]).ok], KEYS[1])
"""


def objects(path: str, kind: str) -> list[dict[str, Any]]:
    loaded = yaml.safe_load_all((MANIFESTS / path).read_text("utf-8"))
    return [each for each in loaded if each["kind"] == kind]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Broker]:
    """The Redis of the manifest: its own command, on a port and in a folder of this test."""
    (tmp_path / "redis-password").write_text(PASSWORD)
    (tmp_path / "redis-server").symlink_to(server_path())
    (workload,) = objects("base/redis.yaml", "StatefulSet")
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    *shell, script = container["command"]
    made = Broker(tmp_path)
    made.url = f"redis://:{PASSWORD_IN_URL}@127.0.0.1:{made.port}/0"
    here = f"--dir {tmp_path} --bind 127.0.0.1 --port {made.port}"
    made.command = [*shell, script.replace("--dir /data", here).replace(SECRETS, str(tmp_path))]
    made.environ = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    made.start()
    yield made
    made.kill()


def seen_by_keda(server: Broker, folder: Path) -> dict[str, int]:
    """Return what each trigger sees, with the secret that its authentication names."""
    (authentication,) = objects("keda/scaled-objects.yaml", "TriggerAuthentication")
    (secret,) = authentication["spec"]["secretTargetRef"]
    password = (folder / secret["key"]).read_text()
    seen = {}
    for scaled in objects("keda/scaled-objects.yaml", "ScaledObject"):
        (trigger,) = scaled["spec"]["triggers"]
        asked = trigger["metadata"]
        assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
        database = int(asked["databaseIndex"])
        with Redis(port=server.port, db=database, **{secret["parameter"]: password}) as client:
            seen[asked["listName"]] = int(client.eval(QUERY, 1, asked["listName"]))
    return seen


async def test_keda_sees_the_turns_that_wait_in_each_queue(server: Broker, tmp_path: Path) -> None:
    assert seen_by_keda(server, tmp_path) == dict.fromkeys(SERVICES, 0)

    async with FrontSide.opened(server) as front:
        for _ in range(3):
            await front.says()
        for _ in range(5):
            await front.types()
        for index in range(7):
            await chains.synthesize(front.redis, front.ticket(text="hello"), index=index, text="Hello.")
    # As a worker sends the next stage of a chain.
    with Celery(broker=server.url, set_as_current=False) as worker:
        worker.send_task(RESPOND, queue="llm", ignore_result=True)

    assert seen_by_keda(server, tmp_path) == {"asr": 3, "llm": 6, "tts": 7}


def test_the_redis_of_the_manifests_lets_in_who_knows_the_secret_and_evicts_no_task(server: Broker) -> None:
    once = Retry(NoBackoff(), 0)
    with Redis(port=server.port, retry=once) as stranger, pytest.raises(AuthenticationError):
        stranger.ping()
    with Redis.from_url(server.url, decode_responses=True) as client:
        assert client.config_get("maxmemory*")["maxmemory-policy"] == "volatile-ttl"
        assert client.config_get("appendonly") == {"appendonly": "yes"}
