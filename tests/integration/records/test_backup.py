"""`dispatcher backup` and `dispatcher restore` between real deployments: Redis, SQL, files."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import func, select

from dispatcher.messages import Record
from dispatcher.records.store import Store
from dispatcher.records.tables import TURNS
from dispatcher.redis_client import keys
from tests.support.broker import Broker
from tests.support.mariadb import MariaDB
from tests.support.processes import BIN, free_port, own_environment

TURNS_KEPT = 5_000
MADE_BEFORE = Path(__file__).with_name("made-by-0.1.tar.gz")
YAML = Path("config/embedded.yaml").read_text(encoding="utf-8")


class Deployment:
    """A deployment that does not run, by its settings."""

    def __init__(self, data_dir: Path, **environ: str) -> None:
        self.data_dir = data_dir
        self._environ = {"DATA_DIR": str(data_dir), **environ}

    def dispatcher(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours with its settings."""
        return subprocess.run(
            [str(BIN / "dispatcher"), *words],
            env=own_environment(self._environ),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


class DeploymentOnRedis(Deployment):
    """One with a Redis of its own, a YAML and a store of records."""

    def __init__(self, folder: Path, broker: Broker, *, database: str = "") -> None:
        folder.mkdir()
        self.yaml = folder / "catalogue.yaml"
        self.database = database or f"sqlite:///{folder / 'var' / 'records.sqlite3'}"
        urls = {"REDIS_URL": broker.url, "DATABASE_URL": self.database}
        super().__init__(folder / "var", DISPATCHER_CONFIG=str(self.yaml), **urls)

    def fill(self) -> None:
        """Have a history: keys, YAML and turns."""
        self.data_dir.mkdir()
        self.yaml.write_text(YAML, encoding="utf-8")
        (self.data_dir / "auth.key").write_bytes(b"k" * 64)
        self.keep([turn(number) for number in range(TURNS_KEPT)])

    def keep(self, records: list[Record]) -> None:
        """Keep records."""
        store = Store.at(self.database, statement_timeout_s=30)
        store.keep(records, life="first")
        store.close()

    def turns(self) -> int:
        """Return how many turns are kept."""
        store = Store.at(self.database, statement_timeout_s=30)
        try:
            with store.engine.connect() as connection:
                return int(connection.scalar(select(func.count()).select_from(TURNS)) or 0)
        finally:
            store.close()


def turn(number: int) -> Record:
    """Return a turn as a front tells it."""
    fields: dict[str, Any] = {
        "turn": f"turn-{number}",
        "device": "02:00:00:00:00:01",
        "server": "front",
        "started_at_ms": number,
        "outcome": "answered",
        "first_audio_ms": 412.5,
    }
    return Record(entry_ms=1_700_000_000_000 + number, entry_seq=0, kind="turn", fields=fields)


@pytest.fixture
def redis(broker: Broker) -> Iterator[Redis]:
    with Redis.from_url(broker.url) as client:
        yield client


def fill(redis: Redis) -> dict[str, Any]:
    """Write what a backup has to hold, and something that it must leave alone; return the first."""
    dialogue = [json.dumps(["user", "你好"], ensure_ascii=False), json.dumps(["assistant", "hello"])]
    redis.rpush(keys.history("dev-1"), *dialogue)
    redis.expire(keys.history("dev-1"), 1000)
    redis.hset(keys.device("dev-1"), "accept_language", "zh-CN")
    redis.hset(keys.OVERRIDES, "max_devices", "30")
    redis.set("tick:other", "left alone")
    return held(redis)


def held(redis: Redis) -> dict[str, Any]:
    """Return what Redis holds of what a backup is about."""
    return {
        "history": redis.lrange(keys.history("dev-1"), 0, -1),
        "device": redis.hgetall(keys.device("dev-1")),
        "knobs": redis.hgetall(keys.OVERRIDES),
    }


def test_what_was_lost_is_back_on_another_machine(tmp_path: Path, broker: Broker, redis: Redis) -> None:
    first, file = DeploymentOnRedis(tmp_path / "first", broker), tmp_path / "backup.tar.gz"
    first.fill()
    before = fill(redis)
    said = first.dispatcher("backup", str(file))
    assert said.returncode == 0, said.stderr
    assert f"turns {TURNS_KEPT}" in said.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    redis.flushall()
    second = DeploymentOnRedis(tmp_path / "second", broker)
    said = second.dispatcher("restore", str(file))
    assert said.returncode == 0, said.stderr
    assert held(redis) == before
    assert 0 < redis.ttl(keys.history("dev-1")) <= 1000
    assert redis.exists("tick:other") == 0
    assert second.turns() == TURNS_KEPT
    assert second.yaml.read_text(encoding="utf-8") == YAML
    key = second.data_dir / "auth.key"
    assert (key.read_bytes(), stat.S_IMODE(key.stat().st_mode)) == (b"k" * 64, 0o600)


def test_restoring_twice_adds_nothing_and_keeps_what_came_later(
    tmp_path: Path, broker: Broker, redis: Redis
) -> None:
    deployment, file = DeploymentOnRedis(tmp_path / "deployment", broker), tmp_path / "backup.tar.gz"
    deployment.fill()
    fill(redis)
    assert deployment.dispatcher("backup", str(file)).returncode == 0
    deployment.keep([turn(TURNS_KEPT)])
    (deployment.data_dir / "auth.key").write_bytes(b"n" * 64)
    redis.set(keys.FRONT_TOKEN_KEY, b"n" * 64)
    said = deployment.dispatcher("restore", str(file))
    assert f"turns: 0 of {TURNS_KEPT} rows added" in said.stdout
    assert deployment.turns() == TURNS_KEPT + 1
    assert (deployment.data_dir / "auth.key.before-restore").read_bytes() == b"n" * 64
    assert redis.get(keys.FRONT_TOKEN_KEY) == b"k" * 64


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path, broker: Broker) -> None:
    deployment, file = DeploymentOnRedis(tmp_path / "deployment", broker), tmp_path / "backup.tar.gz"
    file.write_text("mine")
    said = deployment.dispatcher("backup", str(file))
    assert (said.returncode, file.read_text()) == (1, "mine")
    assert "--force writes over it" in said.stderr


def test_records_move_from_sqlite_to_mariadb(
    tmp_path: Path, broker: Broker, redis: Redis, mariadb: MariaDB
) -> None:
    first, file = DeploymentOnRedis(tmp_path / "first", broker), tmp_path / "backup.tar.gz"
    first.fill()
    fill(redis)
    assert first.dispatcher("backup", str(file)).returncode == 0
    second = DeploymentOnRedis(tmp_path / "second", broker, database=mariadb.url(mariadb_name(mariadb)))
    said = second.dispatcher("restore", str(file), "--only", "records")
    assert said.returncode == 0, said.stderr
    assert second.turns() == TURNS_KEPT
    assert not second.yaml.exists()


def mariadb_name(mariadb: MariaDB) -> str:
    """Make an empty database and return its name."""
    mariadb.make("moved")
    return "moved"


def test_a_backup_of_before_the_password_restores_on_one_box_that_is_stopped(tmp_path: Path) -> None:
    """`restore` asked for a stop of the deployment, and then for a broker that only the deployment brings."""
    port = free_port()
    box = Deployment(
        tmp_path / "var", BROKER_PORT=str(port), DISPATCHER_CONFIG=str(tmp_path / "catalogue.yaml")
    )
    said = box.dispatcher("restore", str(MADE_BEFORE))
    assert said.returncode == 0, said.stdout + said.stderr
    assert "broker   started for this command" in said.stdout
    assert "3 keys of dialogues, devices and overrides are back" in said.stdout
    again = tmp_path / "again.tar.gz"
    said = box.dispatcher("backup", str(again))
    assert said.returncode == 0, said.stdout + said.stderr
    assert "3 keys of dialogues" in said.stdout
    assert "drops 1" in said.stdout
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (again, *box.data_dir.rglob("*"))}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
    assert box.dispatcher("restore", str(again)).returncode == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "a broker was left running"
