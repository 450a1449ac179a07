"""Keeping a process running: starts, crashes, requested restarts, stops; with fake processes and clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dispatcher.supervisor.process_lifecycle import State
from tests.support.virtual_time import run_in_virtual_time
from tests.unit.supervisor.fake_process import FakeLauncher, Kept, spec_named


@asynccontextmanager
async def running(kept: Kept) -> AsyncGenerator[asyncio.Task[None]]:
    """Run it, and stop it at the end."""
    task = asyncio.create_task(kept.runner.run())
    try:
        yield task
    finally:
        kept.runner.kill()
        await task


def test_a_started_process_becomes_ready_and_ends_when_it_is_stopped(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path)
        async with running(kept):
            await kept.until("ready")
            process = kept.process
            assert kept.runner.pid == process.pid
            await kept.runner.stop(grace_s=5)
        assert process.signals[0] == "term"
        assert kept.states == ["starting", "ready", "stopping", "stopped"]
        assert kept.ended == [process.pid]
        assert kept.events == []
        assert kept.launcher.closed_sockets

    run_in_virtual_time(scenario())


def test_a_crash_is_followed_by_a_start_at_once_and_the_next_one_by_a_pause(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path)
        async with running(kept):
            for code in (1, -9):
                await kept.until("ready")
                kept.process.exit(code)
                await kept.until("starting")
            await kept.until("ready")
        assert kept.events == [
            "exited with code 1; started again at once",
            "is back after 1.0 s",
            "exited with code -9 (killed); back in 0.5 s",
            "is back after 1.0 s",
        ]

    run_in_virtual_time(scenario())


def test_one_that_cannot_start_is_given_up_after_five_tries(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path, ready_after_s=None)
        async with running(kept):
            while kept.runner.state != "failed":
                if kept.runner.state == "starting" and kept.runner.pid:
                    kept.process.exit(2)
                await asyncio.sleep(0.01)
            assert await kept.runner.lifecycle.wait_for("ready") == "failed"
        assert len(kept.launcher.started) == 5
        assert kept.events[-1] == "exited with code 2 at each of 5 starts; given up"

    run_in_virtual_time(scenario())


def test_a_program_that_is_missing_is_given_up_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path, FakeLauncher(fails=True))
        await kept.runner.run()
        assert kept.runner.state == "failed"
        assert kept.events == ["cannot be started: No such file or directory: run"]

    run_in_virtual_time(scenario())


def test_a_requested_restart_is_no_crash_and_ends_when_it_is_ready_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path)
        async with running(kept):
            await kept.until("ready")
            assert await kept.runner.restart(grace_s=5)
            assert kept.states[1:] == ["ready", "restarting", "backing off", "starting", "ready"]
            assert len(kept.launcher.started) == 2
        assert kept.events == ["is back after 1.0 s"]

    run_in_virtual_time(scenario())


def test_a_restart_of_one_that_does_not_end_kills_it_after_the_grace(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path, FakeLauncher(ignores_term=True))
        async with running(kept):
            await kept.until("ready")
            assert await kept.runner.restart(grace_s=5)
            assert kept.launcher.started[0].signals == ["term", "kill"]
            kept.process.exit(0)

    run_in_virtual_time(scenario())


def test_a_restart_during_a_pause_waits_until_it_is_ready(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path)
        async with running(kept):
            for _ in range(2):
                await kept.until("ready")
                kept.process.exit(1)
                await kept.until("backing off")
            assert await kept.runner.restart(grace_s=5)

    run_in_virtual_time(scenario())


def test_one_that_is_being_stopped_is_not_restarted(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path, FakeLauncher(ignores_term=True))
        async with running(kept):
            await kept.until("ready")
            stopping = asyncio.create_task(kept.runner.stop(grace_s=5))
            await kept.until("stopping")
            assert not await kept.runner.restart(grace_s=5)
            await stopping
        assert kept.events == ["did not stop in 5 s; killed"]

    run_in_virtual_time(scenario())


@pytest.mark.parametrize("moment", ["waiting", "starting", "backing off"])
def test_a_stop_is_kept_to_at_any_moment(moment: State, tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path)
        task = None
        if moment != "waiting":
            task = asyncio.create_task(kept.runner.run())
            await kept.until("starting")
            if moment == "backing off":
                await asyncio.sleep(0.01)
                kept.process.exit(1)
                await kept.until("backing off")
        await kept.runner.stop(grace_s=5)
        await (task or kept.runner.run())
        assert kept.runner.state == "stopped"
        assert len(kept.launcher.started) == (moment != "waiting")

    run_in_virtual_time(scenario())


def test_one_that_stands_still_is_replaced_and_one_that_is_not_ready_is_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path)
        async with running(kept):
            await kept.until("starting")
            kept.runner.replace("stands still")
            await kept.until("ready")
            kept.runner.replace("stands still")
            await kept.until("starting")
        assert kept.events[0] == "stands still"
        assert kept.events.count("stands still") == 1
        assert "kill" in kept.launcher.started[0].signals

    run_in_virtual_time(scenario())


def test_a_front_that_leaves_is_released_once_the_next_one_is_ready(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path, spec=spec_named("front", "front"))
        async with running(kept):
            await kept.until("ready")
            first = kept.process
            first.leave()
            await kept.until("starting")
            await asyncio.sleep(5)
            assert not first.released  # the next one does not serve yet
            kept.process.serving.set()
            await kept.until("ready")
            assert first.released
            first.exit(0)
        assert kept.events[0] == "is to stop; the next one is started beside it"

    run_in_virtual_time(scenario())


def test_a_front_that_leaves_and_does_not_end_is_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        kept = Kept(tmp_path)
        async with running(kept):
            await kept.until("ready")
            first = kept.process
            first.leave()
            await asyncio.sleep(31)
            assert first.signals == ["kill"]

    run_in_virtual_time(scenario())
