"""What tests of every level share: a real broker, timed instances, the whole system on loopback."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from xdist.scheduler import Scheduling

from dispatcher.redis_client.client import RedisClient, connect
from tests.support.broker import Broker
from tests.support.fleet import Fleet
from tests.support.folders import Folder, FolderScheduling
from tests.support.instances import Instances
from tests.support.level_times import LevelTimes
from tests.support.stack import Stack

# What a shell starts in the background ignores SIGINT, as do all its children. What is interrupted here
# has to be as it is at a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)


_configure_logging = structlog.configure


def _configure_without_cache(**options: Any) -> None:
    """Configure structlog so that `capture_logs` reaches every logger, used before it or not."""
    _configure_logging(**{**options, "cache_logger_on_first_use": False})


structlog.configure = _configure_without_cache  # type: ignore[assignment]


def pytest_configure(config: pytest.Config) -> None:
    """Add up the time of each level, in the process that prints the summary."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(LevelTimes())


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> Folder:
    """Make each folder a scope."""
    folder: Folder = Folder.from_parent(parent, path=path)
    return folder


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    """Deal tests out by folders that share a stack, else by modules."""
    return FolderScheduling(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_finish() -> None:
    """Spare the collector what lives as long as the run: the modules, and thousands of tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_umask() -> Iterator[None]:
    """Keep the umask of the tests: commands make theirs stricter, in the process that runs them."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Keep the logging of the tests: a command that runs in this process sets a level of its own."""
    structlog_before = structlog.get_config()
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    structlog.configure(**structlog_before)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def running_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of the whole session; tests take `broker`, which is empty."""
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def broker(running_broker: Broker) -> Broker:
    """An empty broker; tests leave it running."""
    running_broker.flush()
    return running_broker


@pytest.fixture
def fresh_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that the test may kill and start again."""
    broker = Broker(tmp_path_factory.mktemp("fresh-broker"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
async def redis(broker: Broker) -> AsyncIterator[RedisClient]:
    """A line to the empty broker."""
    opened = RedisClient(connect(broker.url))
    yield opened
    await opened.close()


@pytest.fixture
def fleet(redis: RedisClient) -> Fleet:
    """LLM instances in an empty broker."""
    return Fleet(redis)


@pytest.fixture(scope="session")
def running_instances(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instances]:
    """Two timed instances of each service, for the whole session; tests take `instances`."""
    instances = Instances.started(tmp_path_factory.mktemp("instances"))
    yield instances
    instances.stop()


@pytest.fixture
def instances(running_instances: Instances) -> Instances:
    """Timed instances that all run and do right."""
    running_instances.revive()
    return running_instances


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory, running_instances: Instances) -> Iterator[Stack]:
    """The whole system, for the whole session; tests take `stack`."""
    stack = Stack(tmp_path_factory.mktemp("stack"), running_instances)
    with stack.running():
        yield stack


@pytest.fixture
def stack(running_stack: Stack) -> Iterator[Stack]:
    """The whole system, well; what it logged is printed, which pytest shows when the test fails."""
    with running_stack.healed():
        yield running_stack
