"""Processes that are started together and stopped role by role."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

from dispatcher.supervisor.process_spec import Role
from tests.support.virtual_time import run_in_virtual_time
from tests.unit.supervisor.fake_group import FakeGroup
from tests.unit.supervisor.fake_process import spec_named

ROLES: tuple[Role, ...] = ("broker", "instance", "beat", "worker", "front")


def test_all_are_ready_before_the_start_is_over_and_end_in_the_order_of_the_roles(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = FakeGroup(tmp_path)
        for role in ROLES:
            found.add(spec_named(role, role))
        async with asyncio.TaskGroup() as group:
            assert await found.start_all(group)
            assert {runner.state for runner in found.runners} == {"ready"}
            ended: list[str] = []
            for name, kept in found.kept.items():
                group.create_task(_note_end(name, kept.runner.lifecycle.wait_for("stopped"), ended))
            await found.stop()
        assert ended == ["front", "worker", "beat", "instance", "broker"]

    async def _note_end(name: str, end: Awaitable[object], ended: list[str]) -> None:
        await end
        ended.append(name)

    run_in_virtual_time(scenario())


def test_one_that_is_not_ready_in_time_goes_on_and_the_operator_reads_where_to_look(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = FakeGroup(tmp_path, never_ready=("llm",))
        found.add(spec_named("llm"))
        async with asyncio.TaskGroup() as group:
            assert not await found.start_all(group)
            assert found.runners[0].state == "starting"
            await found.stop()
        assert found.events[0].startswith("llm is not ready after 60 s; it may still come, see ")
        assert found.events[0].endswith("log/llm.log")

    run_in_virtual_time(scenario())


def test_a_scaled_worker_comes_and_goes(tmp_path: Path) -> None:
    async def scenario() -> None:
        found = FakeGroup(tmp_path)
        async with asyncio.TaskGroup() as group:
            runner = found.start_scaled(group, spec_named("llm-extra-1"))
            await runner.lifecycle.wait_for("ready")
            await found.remove(runner)
            assert found.runners == []
        assert found.events == ["llm-extra-1 is started", "llm-extra-1 is stopped"]

    run_in_virtual_time(scenario())
