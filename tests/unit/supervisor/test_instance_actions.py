"""One more instance, a restart and less CPU, as the overrides say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from dispatcher.control.overrides import (
    RuntimeOverrides,
    added_instance_name,
    read_overrides,
    restart_name,
    set_override,
)
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.supervisor.cpu_throttle import CpuThrottle
from dispatcher.supervisor.instance_actions import InstanceActions, further_instance
from dispatcher.supervisor.process_spec import ListenAddress, ProcessSpec
from tests.support.fleet import catalogue_of, llm
from tests.support.waiting import soon
from tests.unit.supervisor.fake_group import FakeGroup

MODEL = ProcessSpec(
    name="llm-1",
    role="instance",
    argv=("dispatcher", "instance", "llm", "--port", "9", "--set", "text=x"),
    assignments={},
    address=ListenAddress("127.0.0.1", 9),
    what="built-in llm",
)


class Limits:
    """Stands where the way to less CPU is."""

    name = "memory"

    def __init__(self) -> None:
        self.limited: set[int] = set()

    def limit(self, pid: int) -> None:
        self.limited.add(pid)

    def release(self, pid: int) -> None:
        self.limited.discard(pid)


class World:
    """A group with one LLM instance, of which the catalogue knows, and the actions on it."""

    def __init__(self, group: FakeGroup, redis: RedisClient, tasks: asyncio.TaskGroup) -> None:
        self.limits = Limits()
        self.group = group
        self.redis = redis
        self.actions = InstanceActions(group, redis, CpuThrottle(self.limits), tasks=tasks)

    async def poll(self) -> RuntimeOverrides:
        await self.actions.offer()
        await self.actions.match(await read_overrides(self.redis))
        return await read_overrides(self.redis)

    async def until(self, condition: Callable[[RuntimeOverrides], object], what: str) -> None:
        async def holds() -> bool:
            return bool(condition(await self.poll()))

        await soon(holds, what=what, within_s=20)

    @property
    def names(self) -> list[str]:
        return [runner.spec.name for runner in self.group.runners]


@asynccontextmanager
async def world(redis: RedisClient, folder: Path) -> AsyncGenerator[World]:
    await instance_table.publish(redis, catalogue_of("round_robin", [llm("llm-1")]))
    group = FakeGroup(folder)
    group.add(MODEL)
    async with asyncio.TaskGroup() as tasks:
        await group.start(tasks, [MODEL], 60)
        yield World(group, redis, tasks)
        await group.stop()


def test_a_further_instance_has_a_name_and_a_port_of_its_own() -> None:
    found = further_instance("llm-a", MODEL, {"llm-a-extra-1"}, 77)
    assert (found.name, str(found.address), found.what) == (
        "llm-a-extra-2",
        "127.0.0.1:77",
        "built-in llm, extra",
    )
    assert found.argv[3:5] == ("--port", "77")


async def test_what_can_be_done_is_offered(redis: RedisClient, tmp_path: Path) -> None:
    async with world(redis, tmp_path) as one:
        offer = await one.actions.offer()
        assert offer.growable == {"llm"}
        assert offer.restartable == {"llm/llm-1"}
        assert offer.throttle == "memory"
    group = FakeGroup(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        nothing = await World(group, redis, tasks).actions.offer()
    assert (nothing.growable, nothing.throttle) == (frozenset(), "")
    assert nothing.no_throttle == "no built-in instance runs here"


async def test_one_more_gets_calls_once_it_is_ready_and_stops_when_nobody_calls_it_any_more(
    redis: RedisClient, tmp_path: Path
) -> None:
    async with world(redis, tmp_path) as one:
        await set_override(redis, "extra_instances.llm", 1)
        await one.until(lambda seen: "llm-1-extra-1" in seen.added_instances, "it is announced")
        assert one.names == ["llm-1", "llm-1-extra-1"]
        await set_override(redis, "extra_instances.llm", None)
        await one.until(lambda seen: not seen.added_instances, "it is withdrawn")
        await one.until(lambda _: one.names == ["llm-1"], "it has stopped")


async def test_no_more_are_started_than_a_host_can_take(redis: RedisClient, tmp_path: Path) -> None:
    async with world(redis, tmp_path) as one:
        await set_override(redis, "extra_instances.llm", 99)
        await one.poll()
        assert len(one.names) == 3
        await one.until(lambda seen: len(seen.added_instances) == 2, "both are announced")
        await one.actions.withdraw_all()
        assert (await read_overrides(redis)).added_instances == {}


async def test_what_a_killed_run_left_is_taken_back_and_that_of_others_stays(
    redis: RedisClient, tmp_path: Path
) -> None:
    await set_override(redis, added_instance_name("llm-1-extra-1"), "http://127.0.0.1:1/v1")
    await set_override(redis, added_instance_name("asr-1-extra-1"), "http://10.0.0.1:1/v1")
    async with world(redis, tmp_path) as one:
        await one.until(lambda seen: list(seen.added_instances) == ["asr-1-extra-1"], "it is taken back")


async def test_a_restart_is_done_once(redis: RedisClient, tmp_path: Path) -> None:
    async with world(redis, tmp_path) as one:
        await set_override(redis, restart_name("llm/llm-1"), 1)
        before = one.group.runners[0].pid
        assert (await one.poll()).restarts == frozenset()

        async def is_another() -> bool:
            runner = one.group.runners[0]
            return runner.state == "ready" and runner.pid != before

        await soon(is_another, what="another process is ready")
        assert one.group.events == ["llm-1 is restarted for the tuner"] or len(one.group.events) == 0


async def test_instances_have_less_cpu_for_as_long_as_it_is_wanted(
    redis: RedisClient, tmp_path: Path
) -> None:
    async with world(redis, tmp_path) as one:
        await set_override(redis, "throttled_instances", 1)
        await one.poll()
        assert one.limits.limited == {one.group.runners[0].pid}
        await set_override(redis, "throttled_instances", None)
        await one.poll()
        assert one.limits.limited == set()
