from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from dispatcher.errors import NO_ANSWER, TurnCancelled
from dispatcher.pipeline import loop_thread
from dispatcher.pipeline.loop_thread import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    started = LoopThread()
    yield started
    started.stop(asyncio.sleep(0))


async def where() -> str:
    return threading.current_thread().name


async def cancelled() -> None:
    raise asyncio.CancelledError


async def failed() -> None:
    raise ValueError("as the test wants it")


def test_work_runs_on_the_thread_of_the_loop(loop: LoopThread) -> None:
    assert loop.run(where(), timeout_s=5) == "loop"


def test_a_barge_in_and_an_error_reach_the_task_that_waits(loop: LoopThread) -> None:
    with pytest.raises(TurnCancelled):
        loop.run(cancelled(), timeout_s=5)
    with pytest.raises(ValueError, match="as the test wants it"):
        loop.run(failed(), timeout_s=5)


def test_work_that_takes_too_long_is_cancelled(loop: LoopThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_thread, "DEADLINE_GRACE_S", 0.0)
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError, match=NO_ANSWER):
        loop.run(work(), timeout_s=0.01)
    assert ended.wait(5)


def test_background_tasks_end_before_what_they_use_is_closed() -> None:
    loop, order, started = LoopThread(), list[str](), threading.Event()

    async def background() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            order.append("background ended")

    async def close() -> None:
        order.append("closed")

    loop.keep_running(background())
    assert started.wait(5)
    loop.stop(close())
    assert order == ["background ended", "closed"]
