"""`dispatcher up` starts and stops worker processes as the override says, and shows that it does."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dispatcher.control import overrides
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from tests.integration.up_run import UpRun, none_is_left
from tests.support.broker import Broker
from tests.support.waiting import eventually

PROCFILE = """
llm: PART=llm exec {bin}/celery -A workers worker -Q llm
sleeper: exec sleep 1000
"""


@pytest.fixture
def run(tmp_path: Path, broker: Broker) -> Iterator[UpRun]:
    started = UpRun(tmp_path, PROCFILE, {"REDIS_URL": broker.url})
    yield started
    started.clean_up()


def set_extra_workers(broker: Broker, count: int) -> None:
    """Say how many extra workers of queue llm there are to be."""

    async def act() -> None:
        redis = RedisClient(connect(broker.url))
        await overrides.set_override(redis, overrides.extra_workers_name("llm"), count)
        await redis.close()

    asyncio.run(act())


def extras(run: UpRun) -> dict[str, int]:
    """Return the extra workers that run, with their process ids."""
    processes = json.loads((run.data_dir / "up.json").read_text())["processes"]
    return {part["name"]: part["pid"] for part in processes if "-extra-" in part["name"] and part["pid"]}


def test_extra_workers_come_and_go_with_the_override(run: UpRun, broker: Broker) -> None:
    # The stand-in of a worker shows no sign of life by itself.
    upfile = run.data_dir / "up.json"
    pid = eventually(lambda: upfile.exists() and run.pid_of("llm"), what="the worker runs")
    _show_ready(broker, int(pid or 0))
    run.is_up()
    _is_shown(broker)
    set_extra_workers(broker, 2)
    eventually(lambda: len(extras(run)) == 2, what="two extra workers run")
    both = extras(run)
    assert list(both) == ["llm-extra-1", "llm-extra-2"]
    newer = psutil.Process(both["llm-extra-2"])
    assert newer.cmdline()[-2:] == ["-n", "llm-extra-2@%h"]
    set_extra_workers(broker, 1)
    eventually(lambda: list(extras(run)) == ["llm-extra-1"], what="one extra worker is left")
    eventually(lambda: none_is_left([newer]), what="the other one has ended")
    children = run.children()
    run.send_signal(signal.SIGTERM)
    assert run.ends() == 0
    assert none_is_left(children)


def _show_ready(broker: Broker, pid: int) -> None:
    async def act() -> None:
        redis = RedisClient(connect(broker.url))
        await redis.execute("SET", keys.worker_ready("llm", pid), 1)
        await redis.close()

    asyncio.run(act())


def _is_shown(broker: Broker) -> None:
    async def shown() -> bool:
        redis = RedisClient(connect(broker.url))
        found = bool(await redis.execute("EXISTS", keys.supervisor(socket.gethostname())))
        await redis.close()
        return found

    eventually(lambda: asyncio.run(shown()), what="the supervisor shows itself")
