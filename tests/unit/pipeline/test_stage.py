from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.errors import (
    DeadlineExceeded,
    InstanceFailed,
    InstanceUnreachable,
    NoInstanceAvailable,
    SpareSlotTaken,
    TurnCancelled,
)
from dispatcher.pipeline import stage
from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.pipeline.stage import run_stage, without_stalls
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.routing.call_clock import CallClock
from dispatcher.routing.call_usage import CallUsage
from dispatcher.routing.leases import Slot
from dispatcher.routing.router import Lease
from dispatcher.tools.model import Progress
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, stream_of, ticket_of


async def new_worker() -> FakeWorker:
    return FakeWorker.with_instances(instance_of("llm", "a"))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWorker]:
    """A worker whose coroutines run on a loop of their own, as a task's do."""
    loop = LoopThread()
    made = loop.run(new_worker(), timeout_s=5)
    made.context = replace(made.context, loop=loop)
    monkeypatch.setattr(stage, "process_context", lambda: made.context)
    yield made
    loop.stop(asyncio.sleep(0))


async def result(_: WorkerContext) -> str:
    return "a result"


def raising(error: Exception) -> Any:
    async def work(_: WorkerContext) -> None:
        raise error

    return work


def test_the_result_of_a_stage_is_returned(worker: FakeWorker) -> None:
    assert run_stage("llm", ticket_of(), result) == "a result"
    assert not worker.redis.replies


@pytest.mark.parametrize("error", [NoInstanceAvailable("llm", "all full"), InstanceFailed("a", "HTTP 500")])
def test_the_front_is_sent_a_failure_and_the_sentence_that_it_is_about(
    worker: FakeWorker, error: Exception
) -> None:
    assert run_stage("tts", ticket_of(), raising(error), index=3) is None
    (reply,) = worker.redis.replies
    assert (reply.kind, reply.index, reply.error) == ("failed", 3, type(error).__name__)
    assert reply.text.startswith("tts: ")


def test_a_stage_of_a_speculation_has_only_to_be_made_again(worker: FakeWorker) -> None:
    assert run_stage("tts", ticket_of(speculative=True), raising(SpareSlotTaken("tts")), index=0) is None
    (reply,) = worker.redis.replies
    assert (reply.kind, reply.text, reply.index, reply.last) == ("lost", "tts", 0, True)


@pytest.mark.parametrize("error", [TurnCancelled("barge-in"), DeadlineExceeded("1 s late"), TimeoutError()])
def test_nobody_waits_for_a_turn_that_was_cancelled_or_is_late(worker: FakeWorker, error: Exception) -> None:
    assert run_stage("llm", ticket_of(), raising(error)) is None
    assert not worker.redis.replies


def test_a_stage_whose_deadline_has_passed_is_not_begun(worker: FakeWorker) -> None:
    assert run_stage("llm", ticket_of(deadline_at_s=time.time() - 1), result) is None
    assert not worker.redis.replies


def test_a_barge_in_cancels_the_stage(worker: FakeWorker) -> None:
    async def work(context: WorkerContext) -> None:
        context.turns.cancel("a-turn")
        await asyncio.Event().wait()

    assert run_stage("llm", ticket_of(), work) is None
    assert not worker.redis.replies


def lease() -> Lease:
    slot = Slot(service="llm", name="a", lease_id="a-lease", in_flight=1, reason="")
    return Lease(
        instance=instance_of("llm", "a"), slot=slot, wait_ms=0.0, clock=CallClock(), usage=CallUsage()
    )


async def test_a_stream_that_stalls_is_out_of_reach_later_when_it_thinks() -> None:
    for pieces, reason in ((["text", 6.0, "more"], "5 s"), ([Progress(), 21.0, "more"], "20 s")):
        with pytest.raises(InstanceUnreachable, match=f"silent for {reason}"):
            [piece async for piece in without_stalls(lease(), stream_of(*pieces))]
    thinking = without_stalls(lease(), stream_of(Progress(), 19.0, "more"))
    assert [piece async for piece in thinking][-1] == "more"


async def test_a_stream_that_thought_and_then_speaks_may_not_rest_for_long_again() -> None:
    stream = without_stalls(lease(), stream_of("text", 6.0, "more"), first_timeout_s=20.0)
    began = asyncio.get_running_loop().time()
    with pytest.raises(InstanceUnreachable, match="silent for 5 s"):
        [piece async for piece in stream]
    assert asyncio.get_running_loop().time() - began < 6


async def test_what_a_reader_does_between_two_pieces_counts_against_no_instance() -> None:
    heard = []
    async for piece in without_stalls(lease(), stream_of("one", 4.0, "two", 4.0, "three")):
        heard.append(piece)
        await asyncio.sleep(8)
    assert heard == ["one", "two", "three"]


async def test_a_barge_in_during_a_wait_is_no_stall() -> None:
    async def read() -> None:
        async for _ in without_stalls(lease(), stream_of("one", 4.0, "two")):
            pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
