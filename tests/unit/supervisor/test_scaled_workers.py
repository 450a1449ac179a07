"""Workers beside those of the Procfile: as many as a runtime override says, and never too many."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any, cast

from dispatcher.control.instance_control import SupervisorOffer
from dispatcher.control.overrides import RuntimeOverrides, extra_workers_name, set_override
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.supervisor.instance_actions import InstanceActions
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.supervisor.process_spec import ProcessSpec
from dispatcher.supervisor.scaled_workers import MAX_PER_QUEUE, ScaledWorkers, scaled_worker
from tests.unit.supervisor.fake_process import spec_named

LLM = replace(spec_named("llm"), queues=("llm",))


class Group:
    """What was started, and stopped again."""

    def __init__(self) -> None:
        self.running: list[str] = []

    def start(self, spec: ProcessSpec) -> ProcessRunner:
        self.running.append(spec.name)
        return cast("ProcessRunner", spec)

    async def stop(self, runner: Any) -> None:
        self.running.remove(runner.name)


class NoInstances:
    """The bundled instances of a deployment that has none."""

    async def offer(self) -> SupervisorOffer:
        return SupervisorOffer()

    async def match(self, overrides: RuntimeOverrides) -> None:
        """Do nothing."""


def scaled(redis: RedisClient, group: Group, *specs: ProcessSpec) -> ScaledWorkers:
    instances = cast("InstanceActions", NoInstances())
    return ScaledWorkers(specs or (LLM,), redis, start=group.start, stop=group.stop, instances=instances)


async def test_workers_come_and_go_with_the_override_the_newest_first(redis: RedisClient) -> None:
    group = Group()
    workers = scaled(redis, group)
    for wanted, running in (
        (0, []),
        (2, ["llm-extra-1", "llm-extra-2"]),
        (1, ["llm-extra-1"]),
        (99, [f"llm-extra-{number}" for number in range(1, MAX_PER_QUEUE + 1)]),
    ):
        await set_override(redis, extra_workers_name("llm"), wanted)
        await workers._poll()
        assert group.running == running


async def test_the_tuner_sees_that_a_supervisor_follows(redis: RedisClient) -> None:
    await scaled(redis, Group())._poll()
    assert 0 < await redis.execute("TTL", keys.supervisor(socket.gethostname())) <= keys.SIGN_OF_LIFE_TTL_S


async def test_workers_of_several_queues_or_behind_a_shell_are_not_copied(redis: RedisClient) -> None:
    group = Group()
    many = replace(LLM, name="all", queues=("llm", "tts"))
    workers = scaled(redis, group, many, replace(LLM, in_shell=True))
    await set_override(redis, extra_workers_name("llm"), 2)
    await workers._poll()
    assert group.running == []


def test_a_further_worker_has_a_node_name_of_its_own() -> None:
    made = scaled_worker(LLM, 2)
    assert made.argv[-2:] == ("-n", "llm-extra-2@%h")
