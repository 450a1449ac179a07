"""A store and a control worker that drains into it; the drain is asked for by hand, as beat would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import text

from dispatcher.messages import DRAIN_RECORDS
from dispatcher.records.store import Store
from dispatcher.redis_client import keys
from dispatcher.telemetry import record_stream
from tests.support.broker import Broker
from tests.support.instances import Instances
from tests.support.mariadb import MariaDB
from tests.support.processes import Process
from tests.support.stack import worker_command, write_config
from tests.support.waiting import eventually


class ControlWorker(Process):
    """A control worker, its broker and its store."""

    def __init__(self, folder: Path, *, broker: Broker, config: Path, database_url: str) -> None:
        self.broker = broker
        self.database_url = database_url
        environ = {
            "REDIS_URL": broker.url,
            "DISPATCHER_CONFIG": str(config),
            "DATA_DIR": str(folder / "var"),
            "DATABASE_URL": database_url,
            "LOG_FORMAT": "json",
        }
        super().__init__("control", worker_command("-Q", "control"), folder=folder, environ=environ)

    def wait_until_ready(self) -> None:
        """Return when it takes tasks."""
        with Redis.from_url(self.broker.url) as client:
            eventually(
                lambda: client.exists(keys.worker_ready("control", self.pid)),
                what="the control worker is ready",
            )

    def drain(self) -> None:
        """Ask for a drain, as beat does every second."""
        send(self.broker, DRAIN_RECORDS)

    def drains_until(self, condition: Callable[[], Any], *, what: str) -> None:
        """Ask for drains until something holds."""

        def drained() -> bool:
            if condition():
                return True
            with Redis.from_url(self.broker.url) as client:
                if not client.llen("control"):
                    self.drain()
            return False

        eventually(drained, what=f"{what}\n{self.output()[-2000:]}")


def send(broker: Broker, task: str) -> None:
    """Send a control task by hand."""
    from workers.celery import app  # noqa: PLC0415  Celery reads its settings with the first use

    with app.connection_for_write(broker.url) as connection:
        app.send_task(task, queue="control", connection=connection)


def add_turns(broker: Broker, count: int, *, since: int = 0) -> None:
    """Add turns to the stream, bounded as fronts do it."""
    with Redis.from_url(broker.url) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(since, since + count):
            fields = f'{{"turn": "turn-{number}", "device": "d", "outcome": "answered", "sentences": 2}}'
            pipeline.xadd(
                keys.RECORDS,
                {"kind": "turn", "fields": fields},
                maxlen=record_stream.RECORDS_MAXLEN,
                approximate=True,
            )
        pipeline.execute()


def backlog(broker: Broker) -> int:
    """Return how many entries wait in the stream."""
    with Redis.from_url(broker.url) as client:
        return int(client.xlen(keys.RECORDS))


def ask(database_url: str, question: str) -> list[Any]:
    """Return the rows of a question to the store."""
    store = Store.at(database_url)
    try:
        with store.engine.begin() as connection:
            return [tuple(row) for row in connection.execute(text(question))]
    finally:
        store.close()


@pytest.fixture(scope="package")
def running_mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A MariaDB for all tests of this folder; they take `mariadb`."""
    server = MariaDB(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def mariadb(running_mariadb: MariaDB) -> MariaDB:
    """A MariaDB that runs; a test may kill it."""
    if not running_mariadb.runs:
        running_mariadb.start()
    return running_mariadb


@contextmanager
def control_worker(
    folder: Path, *, broker: Broker, instances: Instances, database_url: str
) -> Iterator[ControlWorker]:
    """Run a control worker on a store."""
    config = write_config(folder / "records.yaml", instances)
    worker = ControlWorker(folder, broker=broker, config=config, database_url=database_url)
    worker.start()
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        worker.kill()
