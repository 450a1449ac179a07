"""Fixtures of the checks of instances: real servers on loopback, and so a real clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest

from dispatcher.catalogue.model import HealthRules, Instance
from dispatcher.pipeline.instance_checks import Examined, check_instance
from dispatcher.providers.registry import Providers
from dispatcher.redis_client.client import RedisClient
from tests.support.model_server import FakeModelServer, serving

RULES = HealthRules(failure_threshold=3, recovery_threshold=2)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Take the loop of every other test: sockets answer in their own time."""
    return {"real time": asyncio.new_event_loop}


@pytest.fixture
async def server() -> AsyncIterator[FakeModelServer]:
    """A model server on a port of its own."""
    async with serving() as fake:
        yield fake


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    """The providers of one loop."""
    made = Providers()
    yield made
    await made.close()


@pytest.fixture
def check(redis: RedisClient, providers: Providers) -> Callable[..., Awaitable[Examined]]:
    """Checks an instance as workers do, once or several times."""

    async def run(instance: Instance, times: int = 1) -> Examined:
        for _ in range(times):
            found = await check_instance(redis, providers, instance, rules=RULES)
        return found

    return run
