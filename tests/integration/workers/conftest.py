"""pytest-celery without Docker: its fixtures, filled with a broker and a worker of this machine."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from celery import Celery
from pytest_celery import CeleryTestBroker, CeleryTestWorker

from tests.support.broker import Broker
from tests.support.containers import LocalRedis, LocalWorker
from tests.support.front_side import FrontSide
from tests.support.instances import Instances
from tests.support.processes import Process
from tests.support.stack import worker_command, write_config


@pytest.fixture
def default_redis_broker(fresh_broker: Broker) -> LocalRedis:
    """The broker in the place of its container."""
    return LocalRedis(fresh_broker)


@pytest.fixture
def celery_broker(celery_redis_broker: CeleryTestBroker) -> CeleryTestBroker:
    """Redis alone, which is what we support."""
    return celery_redis_broker


@pytest.fixture
def celery_backend_cluster() -> None:
    """No backend: our tasks store no results."""


@pytest.fixture
def celery_backend_cluster_config() -> None:
    """No backend, so nothing to configure."""


@pytest.fixture
def default_worker_command() -> list[str]:
    """The command line of the worker; tests choose another by `parametrize`."""
    return worker_command("-Q", "llm")


@pytest.fixture
def default_worker_container(
    tmp_path: Path, fresh_broker: Broker, instances: Instances, default_worker_command: list[str]
) -> Iterator[LocalWorker]:
    """The worker in the place of its container."""
    environ = {
        "REDIS_URL": fresh_broker.url,
        "DISPATCHER_CONFIG": str(write_config(tmp_path / "workers.yaml", instances)),
        "DATA_DIR": str(tmp_path / "var"),
    }
    container = LocalWorker(Process("worker", default_worker_command, folder=tmp_path, environ=environ))
    container.ready()
    yield container
    sys.stdout.write(container.logs())
    container.teardown()


@pytest.fixture
def default_worker_app(celery_setup_app: Celery) -> Celery:
    """The application with which a test controls the worker."""
    return celery_setup_app


@pytest.fixture
def celery_worker(celery_setup_worker: CeleryTestWorker) -> CeleryTestWorker:
    """Our worker, once."""
    return celery_setup_worker


@pytest.fixture
async def front_side(fresh_broker: Broker) -> AsyncIterator[FrontSide]:
    """What a front does with the queues and its reply stream."""
    async with FrontSide.opened(fresh_broker) as opened:
        yield opened
