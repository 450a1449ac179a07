"""What a control worker and the commands make of the store's address; who loads SQLAlchemy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dispatcher.messages import KEEP_RECORDS
from tests.integration.records.conftest import add_turns, ask, backlog, control_worker, send
from tests.support.broker import Broker
from tests.support.instances import Instances
from tests.support.processes import BIN, ROOT, Process, own_environment
from tests.support.stack import worker_command, write_config
from tests.support.waiting import eventually

# What a task's module loads later would not show here, so the tasks that serve turns are only looked up.
LOADED = """
import sys, workers.celery, {module}
workers.celery.app.loader.import_default_modules()
print([name for name in ("sqlalchemy", "alembic", "pymysql") if name in sys.modules])
"""


@pytest.mark.parametrize("module", ["workers.asr", "workers.control", "dispatcher.front.http.app"])
def test_neither_the_front_nor_a_worker_loads_sqlalchemy_at_its_start(module: str) -> None:
    script = LOADED.format(module=module)
    said = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=own_environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"


def test_a_wrong_address_ends_a_control_worker_at_once_and_hides_the_password(
    tmp_path: Path, broker: Broker, instances: Instances
) -> None:
    environ = {
        "REDIS_URL": broker.url,
        "DISPATCHER_CONFIG": str(write_config(tmp_path / "wrong.yaml", instances)),
        "DATA_DIR": str(tmp_path / "var"),
        "DATABASE_URL": "postgresql://me:hush@db/x",
    }
    worker = Process("control", worker_command("-Q", "control"), folder=tmp_path, environ=environ)
    worker.start()
    try:
        assert worker.ends() == 2
    finally:
        worker.kill()
    assert "DATABASE_URL: was postgresql://me:***@db/x; expected sqlite:///" in worker.output()
    assert "hush" not in worker.output()


def dispatcher(broker_url: str, database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    environ = own_environment({"REDIS_URL": broker_url, "DATABASE_URL": database_url})
    command = [str(BIN / "dispatcher"), "records", *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


def fact(said: str, name: str) -> str:
    """Return one of the lines below the table."""
    (line,) = (line for line in said.splitlines() if line.startswith(f"{name} "))
    return line.removeprefix(name).strip()


def test_the_command_tells_what_is_kept_what_waits_and_where(
    tmp_path: Path, fresh_broker: Broker, instances: Instances
) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    assert dispatcher(fresh_broker.url, url).returncode == 1
    assert dispatcher(fresh_broker.url, url, "upgrade").returncode == 0
    add_turns(fresh_broker, 30)
    with control_worker(tmp_path, broker=fresh_broker, instances=instances, database_url=url) as worker:
        worker.drains_until(lambda: not backlog(fresh_broker), what="all are drained")
        eventually(lambda: ask(url, "SELECT COUNT(*) FROM turns") == [(30,)], what="all are kept")
        send(fresh_broker, KEEP_RECORDS)
        eventually(lambda: pruned(worker), what="the upkeep is told")
    add_turns(fresh_broker, 4, since=30)
    said = dispatcher(fresh_broker.url, url)
    assert said.returncode == 0, said.stderr
    assert [line.split()[0] for line in said.stdout.splitlines()[1:6]] == [
        "turns",
        "samples",
        "alerts",
        "decisions",
        "hours",
    ]
    assert said.stdout.splitlines()[1].split()[-1] == "30"
    assert fact(said.stdout, "backlog") == "4 of 50000"
    assert fact(said.stdout, "dropped") == "0"
    assert fact(said.stdout, "state") == "answers"
    listed = dispatcher(fresh_broker.url, url, "turns", "--last", "3").stdout.splitlines()
    assert len(listed) == 4
    assert [line.split()[2] for line in listed[1:]] == ["turn-27", "turn-28", "turn-29"]
    assert "no turns" in dispatcher(fresh_broker.url, url, "turns", "--device", "nobody").stdout


def pruned(worker: Process) -> list[Any]:
    lines = (line for line in worker.output().splitlines() if line.startswith("{"))
    return [told for line in lines if (told := json.loads(line))["event"] == "records pruned"]


def test_the_command_says_which_half_is_missing(broker: Broker) -> None:
    away = dispatcher(broker.url, "mysql://me:hush@127.0.0.1:1/x")
    assert away.returncode == 1
    assert "out of reach" in away.stdout or "Can't connect" in away.stdout
    assert "hush" not in away.stdout + away.stderr
    wrong = dispatcher(broker.url, "ftp://me:hush@host/x")
    assert wrong.returncode == 2
    assert "DATABASE_URL: was ftp://me:***@host/x" in wrong.stderr
