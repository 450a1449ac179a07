"""A worker as an operator starts it: what it becomes by its queue alone, and what it survives."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from pytest_celery import CeleryTestSetup

from dispatcher.audio.packets import unpack
from dispatcher.errors import StateError
from dispatcher.redis_client import keys
from dispatcher.routing import leases
from dispatcher.routing.leases import Slot
from dispatcher.turn_store import utterance_audio
from tests.support.front_side import FrontSide
from tests.support.instances import SENTENCES, Instances
from tests.support.stack import worker_command
from tests.support.waiting import eventually, soon

HOST = socket.gethostname()
# Two instances with eight places each; four places for the control queue.
SLOTS = 16
CONTROL_SLOTS = 4
OURS = "workers.celery_ext.pools:ResizablePool"


def started_as(*arguments: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "default_worker_command", [worker_command(*arguments)], ids=[" ".join(arguments)]
    )


def the_worker(setup: CeleryTestSetup) -> tuple[str, dict[str, Any]]:
    """Return the worker's name, and what it says of its pool."""
    stats = eventually(
        lambda: setup.app.control.inspect(limit=1, timeout=2).stats(), what="the worker answers"
    )
    ((name, said),) = stats.items()
    return name, said["pool"]


async def test_the_queue_decides_pool_size_and_name(celery_setup: CeleryTestSetup) -> None:
    name, pool = the_worker(celery_setup)
    assert name == f"llm@{HOST}"
    assert (pool["implementation"], pool["max-concurrency"]) == (OURS, SLOTS)


@started_as("-Q", "llm", "-c", "2", "-n", "mine@%h")
async def test_a_size_and_a_name_on_the_command_line_win(celery_setup: CeleryTestSetup) -> None:
    name, pool = the_worker(celery_setup)
    assert name == f"mine@{HOST}"
    assert (pool["implementation"], pool["max-concurrency"]) == (OURS, 2)


@started_as("-Q", "llm", "-P", "solo")
async def test_a_pool_on_the_command_line_wins_and_serves(
    celery_setup: CeleryTestSetup, front_side: FrontSide
) -> None:
    _, pool = the_worker(celery_setup)
    assert pool["implementation"] == "celery.concurrency.solo:TaskPool"
    await front_side.reads(await front_side.types(), "end")


async def test_growing_and_shrinking_by_remote_control_moves_the_limit(
    celery_setup: CeleryTestSetup, front_side: FrontSide, instances: Instances
) -> None:
    control = celery_setup.app.control
    control.pool_grow(4, reply=True, limit=1)
    assert the_worker(celery_setup)[1]["max-concurrency"] == SLOTS + 4
    control.pool_shrink(SLOTS + 1, reply=True, limit=1)
    assert the_worker(celery_setup)[1]["max-concurrency"] == 3

    for llm in instances.of("llm"):
        llm.fault("slow", 100)
    instances.forget_asked()
    tickets = [await front_side.types() for _ in range(6)]
    await in_flight(instances, 3)
    assert len(instances.asked()) == 3
    control.pool_grow(10, reply=True, limit=1)
    await in_flight(instances, 6)
    for ticket in tickets:
        utterance_audio.cancel(front_side.redis, ticket.turn_id)
    await in_flight(instances, 0)


async def test_turns_that_wait_for_a_slot_say_so_and_take_no_place_of_the_pool(
    celery_setup: CeleryTestSetup, front_side: FrontSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert the_worker(celery_setup)[1]["max-concurrency"] == SLOTS
    monkeypatch.setattr(keys, "LEASE_TTL_MS", 50_000)
    held = [await leases.pick(front_side.redis, "llm", turn_id="a-test") for _ in range(SLOTS)]
    tickets = [await front_side.types() for _ in range(SLOTS + 4)]
    for ticket in tickets:
        await front_side.reads(ticket, "waiting")
    for slot in held:
        assert isinstance(slot, Slot)
        await leases.finish(front_side.redis, slot, outcome="ignored", latency_ms=0)
    for ticket in tickets:
        await front_side.reads(ticket, "end")
        assert len([each for each in front_side.of(ticket) if each.kind == "end"]) == 1


async def in_flight(instances: Instances, count: int) -> None:
    """Wait until LLM instances work on exactly so many calls."""

    async def reached() -> bool:
        return sum(llm.in_flight for llm in instances.of("llm")) == count

    await soon(reached, what=f"{count} calls in flight")


@started_as("-Q", "asr,llm,tts,control")
async def test_the_chain_answers_on_the_reply_stream_in_order(
    celery_setup: CeleryTestSetup, front_side: FrontSide
) -> None:
    name, pool = the_worker(celery_setup)
    assert sorted(name.removesuffix(f"@{HOST}").split("-")) == ["asr", "control", "llm", "tts"]
    assert pool["max-concurrency"] == 3 * SLOTS + CONTROL_SLOTS

    ticket = await front_side.says()
    await front_side.reads(ticket, "end")
    await front_side.reads_last_audio(ticket, sentences=len(SENTENCES))
    replies = front_side.of(ticket)
    kinds = [reply.kind for reply in replies]
    assert kinds[:2] == ["transcript", "emotion"]
    assert [reply.text for reply in replies if reply.kind == "sentence"] == list(SENTENCES)
    assert [reply.index for reply in replies if reply.kind == "end"] == [len(SENTENCES)]
    for index in range(len(SENTENCES)):
        of_sentence = [
            reply for reply in replies if reply.index == index and reply.kind in {"sentence", "audio"}
        ]
        assert of_sentence[0].kind == "sentence"
        assert [reply.last for reply in of_sentence[1:]] == [False] * (len(of_sentence) - 2) + [True]
        assert sum(len(unpack(reply.packets)) for reply in of_sentence) > 0


async def test_a_worker_that_was_killed_serves_again_after_its_restart(
    celery_setup: CeleryTestSetup, front_side: FrontSide
) -> None:
    await front_side.reads(await front_side.types(), "end")
    celery_setup.worker.kill()
    waiting = await front_side.types()
    celery_setup.worker.restart()
    await front_side.reads(waiting, "end")
    await front_side.reads(await front_side.types(), "end")


async def test_a_worker_that_is_told_to_stop_ends_what_it_works_on(
    celery_setup: CeleryTestSetup, front_side: FrontSide, instances: Instances
) -> None:
    for llm in instances.of("llm"):
        llm.fault("slow", 10)
    ticket = await front_side.types()
    await in_flight(instances, 1)
    celery_setup.worker.kill("SIGTERM", reload_container=False)
    assert celery_setup.worker.container.process.ends() == 0
    await front_side.reads(ticket, "end")
    left = await front_side.redis.execute("KEYS", keys.leases("llm", "*"))
    assert [await front_side.redis.execute("ZCARD", key) for key in left] == [0] * len(left)


async def test_a_worker_survives_a_restart_of_the_broker(
    celery_setup: CeleryTestSetup, front_side: FrontSide
) -> None:
    await front_side.reads(await front_side.types(), "end")
    pid = celery_setup.worker.container.process.pid
    celery_setup.broker.kill()
    celery_setup.broker.restart()

    async def is_answered() -> bool:
        try:
            await front_side.open_again()
            await front_side.reads(await front_side.types(), "end", within_s=3)
        except (StateError, TimeoutError):
            return False
        return True

    await soon(is_answered, what="the worker serves again", within_s=30)
    assert celery_setup.worker.container.process.runs
    assert celery_setup.worker.container.process.pid == pid


@pytest.mark.usefixtures("celery_setup")
async def test_turns_that_are_late_or_spoken_over_are_not_worked_on(
    front_side: FrontSide, instances: Instances
) -> None:
    instances.forget_asked()
    await front_side.types("too late", time_left_s=-1)
    spoken_over = front_side.ticket(text="never mind")
    utterance_audio.cancel(front_side.redis, spoken_over.turn_id)
    await front_side.starts(spoken_over)
    in_time = await front_side.types("in time")
    await front_side.reads(in_time, "end")
    asked = [body["messages"][-1]["content"] for body in instances.asked()]
    assert [content.partition("\n[Current time: ")[0] for content in asked] == ["in time"]
    assert {reply.turn_id for reply in front_side.replies} == {in_time.turn_id}


async def test_a_worker_shows_which_queue_it_serves(
    celery_setup: CeleryTestSetup, front_side: FrontSide
) -> None:
    pid = celery_setup.worker.container.process.pid

    async def shown() -> bool:
        return bool(await front_side.redis.execute("EXISTS", keys.worker_ready("llm", pid)))

    await soon(shown, what="the worker shows its queue")
