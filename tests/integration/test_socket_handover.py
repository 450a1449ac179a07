"""One front after another under a real `dispatcher up`: nobody stands before a closed door."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.integration.up_run import UpRun
from tests.support.waiting import soon

BROKER_AND_FRONT = """
broker: exec dispatcher broker
front: exec dispatcher front
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[UpRun]:
    running = UpRun(tmp_path, BROKER_AND_FRONT, {})
    try:
        running.is_up()
        yield running
    finally:
        running.clean_up()


class Caller:
    """Connects anew again and again.

    Attributes:
        answered: calls that were.
        refused: why, of those that were not.
    """

    def __init__(self, run: UpRun) -> None:
        self.answered = 0
        self.refused: list[str] = []
        self._url = f"http://127.0.0.1:{run.front_port}/healthz"

    async def call(self) -> None:
        """Make one call on a connection of its own."""
        try:
            async with aiohttp.ClientSession() as session, session.get(self._url) as answer:
                assert answer.status == 200
            self.answered += 1
        except aiohttp.ClientError as error:
            self.refused.append(repr(error))

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Call for as long as the block lasts."""

        async def call_on() -> None:
            while True:
                await self.call()

        task = asyncio.create_task(call_on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def is_followed(run: UpRun, first: int) -> bool:
    return run.pid_of("front") not in {None, first} and "front is back" in run.output


async def test_while_one_front_follows_another_every_connection_is_answered(run: UpRun) -> None:
    first = run.pid_of("front")
    assert first is not None
    caller = Caller(run)
    async with caller.calling():
        psutil.Process(first).send_signal(signal.SIGTERM)
        await soon(lambda: is_followed(run, first), what="the next front is ready")

        async def is_gone() -> bool:
            return not psutil.pid_exists(first)

        await soon(is_gone, what="the first front is gone")
        before = caller.answered

        async def is_answered() -> bool:
            return caller.answered > before

        await soon(is_answered, what="the next front answers")
    assert caller.refused == []
    assert "exited" not in run.output


async def test_a_front_whose_successor_cannot_start_serves_until_one_can(run: UpRun, tmp_path: Path) -> None:
    """A missing file; the log names it."""
    first = run.pid_of("front")
    assert first is not None
    config = tmp_path / "small.yaml"
    away = config.rename(tmp_path / "away.yaml")
    caller = Caller(run)
    async with caller.calling():
        psutil.Process(first).send_signal(signal.SIGTERM)

        async def is_refused() -> bool:
            return "front exited with code 2" in run.output

        await soon(is_refused, what="the next front does not start")
        away.rename(config)
        await soon(lambda: is_followed(run, first), what="a further one does")
    assert caller.refused == []


async def test_whoever_connects_after_a_crash_waits_for_the_next_front(run: UpRun) -> None:
    run.kill("front")
    caller = Caller(run)

    async def is_noticed() -> bool:
        return "front exited with code -9" in run.output

    await soon(is_noticed, what="the crash is noticed")
    await caller.call()
    assert caller.refused == []
    assert caller.answered == 1


async def test_a_stop_does_not_wait_for_a_next_front(run: UpRun) -> None:
    run.send_signal(signal.SIGTERM)
    assert run.ends() == 0
    assert "the next one is started" not in run.output
    assert "no front followed" not in run.output
