"""Faults that signal a process, on an environment in memory."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator

import aiohttp
import pytest

from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import StartError
from dispatcher.ops.chaos.chaos_plan import VerifyPlan
from dispatcher.ops.chaos.faults import FAULTS, FaultContext
from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from dispatcher.ops.chaos.system_under_test import SystemUnderTest
from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.supervisor.chaos_marker import MarkedProcess
from tests.unit.ops.chaos.fake_environment import FakeEnvironment, process

ENTRY = "http://127.0.0.1:8000"


@pytest.fixture
async def redis() -> AsyncGenerator[RedisClient]:
    """A client that connects to nothing: these faults do not ask Redis."""
    client = RedisClient(connect("redis://127.0.0.1:9/0"))
    yield client
    await client.close()


async def inject(name: str, environment: FakeEnvironment, redis: RedisClient) -> str:
    """Inject a fault and undo it; return what was done."""
    async with aiohttp.ClientSession() as session:
        system = SystemUnderTest(redis, session, environment, Catalogue(path="x.yaml", services={}))
        context = FaultContext(
            system=system,
            devices=SimulatedDevices((ENTRY,), 1),
            device_count=1,
            lasts_s=1.0,
            entry_urls=(ENTRY,),
        )
        async with FAULTS[name](context) as words:
            return words


@pytest.mark.parametrize(
    ("name", "processes", "words", "sent"),
    [
        (
            "worker",
            (process("control", "worker"), process("asr", "worker"), process("worker-llm", "worker")),
            "kill -9 of worker worker-llm (pid 7)",
            [("worker-llm", signal.SIGKILL)],
        ),
        (
            "stopped-worker",
            (process("llm", "worker"),),
            "SIGSTOP to worker llm (pid 7)",
            [("llm", signal.SIGSTOP), ("llm", signal.SIGCONT)],
        ),
        (
            "redis",
            (process("broker", "broker"),),
            "SIGTERM to the broker (pid 7)",
            [("broker", signal.SIGTERM)],
        ),
        (
            "front",
            (process("front-1", "front", pid=None), process("front-2", "front")),
            "SIGTERM to front-2 (pid 7)",
            [("front-2", signal.SIGTERM)],
        ),
    ],
)
async def test_a_process_gets_its_signal_and_what_can_be_undone_is(
    redis: RedisClient,
    name: str,
    processes: tuple[MarkedProcess, ...],
    words: str,
    sent: list[tuple[str, signal.Signals]],
) -> None:
    environment = FakeEnvironment(*processes)

    assert await inject(name, environment, redis) == words
    assert environment.sent == sent


@pytest.mark.parametrize(
    ("name", "reason"),
    [("worker", "no worker of its own"), ("redis", "REDIS_URL names another"), ("front", "no front")],
)
async def test_a_fault_of_a_process_that_does_not_run_is_unavailable(
    redis: RedisClient, name: str, reason: str
) -> None:
    environment = FakeEnvironment(process("control", "worker"), process("front", "front", pid=None))

    with pytest.raises(FaultUnavailable, match=reason):
        await inject(name, environment, redis)


async def test_a_stopped_worker_that_was_replaced_needs_no_signal(redis: RedisClient) -> None:
    class Replacing(FakeEnvironment):
        async def send(self, process: MarkedProcess, how: signal.Signals) -> None:
            await super().send(process, how)
            self.gone.add(process.name)

    environment = Replacing(process("llm", "worker"))

    await inject("stopped-worker", environment, redis)

    assert environment.sent == [("llm", signal.SIGSTOP)]


async def test_a_stack_without_a_front_has_no_entry(redis: RedisClient) -> None:
    async with aiohttp.ClientSession() as session:
        catalogue = Catalogue(path="x.yaml", services={})
        system = SystemUnderTest(redis, session, FakeEnvironment(), catalogue)
        with pytest.raises(StartError, match="has no front"):
            await system.entry_urls()


async def test_a_stack_without_redis_has_not_recovered(redis: RedisClient) -> None:
    async with aiohttp.ClientSession() as session:
        catalogue = Catalogue(path="x.yaml", services={})
        assert not await SystemUnderTest(redis, session, FakeEnvironment(), catalogue).is_recovered()


def test_a_quick_run_is_shorter_and_has_fewer_devices() -> None:
    quick, whole = VerifyPlan.of(["kill"], None, quick=True), VerifyPlan.of(["kill"], None, quick=False)

    assert (quick.devices, whole.devices) == (4, 8)
    assert quick.fault_s < whole.fault_s
    assert VerifyPlan.of(["kill"], 20, quick=True).devices == 20
