from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from dispatcher.errors import NO_ANSWER, TurnCancelled
from dispatcher.pipeline import loop_thread
from dispatcher.pipeline.loop_thread import CancellableTurns, LoopThread


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


async def test_a_barge_in_cancels_all_that_works_for_its_turn_and_nothing_else() -> None:
    turns = CancellableTurns()

    async def work(turn_id: str) -> None:
        with turns.cancellable(turn_id):
            await asyncio.Event().wait()

    first, second, other = (asyncio.create_task(work(turn_id)) for turn_id in ("a", "a", "b"))
    await asyncio.sleep(0)
    turns.cancel("a")
    turns.cancel("unknown")
    await asyncio.sleep(0.1)
    assert [task.cancelled() for task in (first, second, other)] == [True, True, False]
    turns.cancel("b")
    with pytest.raises(asyncio.CancelledError):
        await other


async def test_work_that_has_ended_is_no_longer_cancelled() -> None:
    turns = CancellableTurns()
    with turns.cancellable("a"):
        pass
    turns.cancel("a")
    await asyncio.sleep(0)


def test_work_for_a_turn_is_a_coroutine() -> None:
    with pytest.raises(RuntimeError), CancellableTurns().cancellable("a"):
        pass
