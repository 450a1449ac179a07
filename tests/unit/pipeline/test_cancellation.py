from __future__ import annotations

import asyncio

import pytest

from dispatcher.pipeline.cancellation import RunningTurns


async def test_a_barge_in_cancels_all_that_works_for_its_turn_and_nothing_else() -> None:
    turns = RunningTurns()

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
    turns = RunningTurns()
    with turns.cancellable("a"):
        pass
    turns.cancel("a")
    await asyncio.sleep(0)


def test_work_for_a_turn_is_a_coroutine() -> None:
    with pytest.raises(RuntimeError), RunningTurns().cancellable("a"):
        pass
