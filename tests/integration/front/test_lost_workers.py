"""The only worker of a queue dies, or stands still: others go on with its turns, and nobody hears twice."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Final

import pytest
from redis import Redis

from dispatcher.dialogue.stage_attempts import LOST_SENDINGS
from dispatcher.messages import SERVICES, SYNTHESIZE, Service
from dispatcher.redis_client import keys
from dispatcher.turn_store.worker_heartbeats import LOST_AFTER_S
from tests.support.device import Answer
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.processes import Process
from tests.support.stack import Stack
from tests.support.waiting import soon

DEVICES: Final = 6
# The whole answer takes 0.3 s here, and a stage that is late is sent again after 20 s.
STAGE_TIMEOUT_S: Final = 20.0
LOST: Final = "stage lost with its worker, sent again"
SOON_S: Final = 8.0
# Of what takes 20 ms, so that a stage is in hand for long enough.
SLOW: Final = 60


@pytest.fixture
async def patient(stack: Stack) -> AsyncGenerator[None]:
    """Let stages be late for long, so that what is quick is not their being late."""
    own = stack.own_catalogue
    rules = replace(own.conversation, stage_timeout_s=STAGE_TIMEOUT_S)
    await stack.activate(replace(own, conversation=rules))
    yield
    stack.heal()
    await stack.activate(own)


def in_hand(stack: Stack, worker: Process) -> int:
    """Return how many messages a worker process works on."""
    with Redis.from_url(stack.broker.url) as client:
        lists = [key for key in client.scan_iter(keys.taken("*")) if f":{worker.pid}:".encode() in key]
        return sum(int(client.llen(key)) for key in lists)


def sentences_in_hand(stack: Stack) -> int:
    """Return how many sentences workers have spoken now."""
    with Redis.from_url(stack.broker.url) as client:
        lists = [client.lrange(key, 0, -1) for key in client.scan_iter(keys.taken("*"))]
    return sum(SYNTHESIZE.encode() in message for messages in lists for message in messages)


def shows_life(stack: Stack, worker: Process) -> bool:
    """Return whether a worker process does not count as lost."""
    with Redis.from_url(stack.broker.url) as client:
        seconds, microseconds = client.time()
        alive_since_ms = (seconds - LOST_AFTER_S) * 1000 + microseconds / 1000
        living = client.zrangebyscore(keys.WORKERS, alive_since_ms, "+inf")
    return any(f":{worker.pid}:".encode() in each for each in living)


@contextmanager
def all_stopped(workers: Sequence[Process]) -> Iterator[None]:
    """Have no processor left for these workers."""
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGCONT)


def break_off_moves(client: Redis) -> None:
    """Cut the connections on which workers wait for messages."""
    for each in client.client_list():
        if each["cmd"] == "blmove":
            client.client_kill_filter(_id=each["id"])


@asynccontextmanager
async def asked(
    stack: Stack, name: str, service: Service, *, count: int = DEVICES
) -> AsyncGenerator[list[asyncio.Task[Answer]]]:
    """Let devices speak to a service that takes its time."""
    for instance in stack.instances.of(service):
        instance.fault("slow", SLOW)
    async with AsyncExitStack() as open_ones:
        devices = [
            await open_ones.enter_async_context(stack.front.device(f"{name}-{n}")) for n in range(count)
        ]
        yield [asyncio.create_task(device.says()) for device in devices]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("service", "how"),
    [("asr", signal.SIGKILL), ("llm", signal.SIGKILL), ("tts", signal.SIGKILL), ("llm", signal.SIGSTOP)],
)
async def test_what_the_last_worker_of_a_queue_had_in_hand_is_done_at_once_by_others_and_heard_once(
    stack: Stack, service: Service, how: signal.Signals
) -> None:
    worker, printed = stack.workers[service], stack.front.printed_bytes()

    async def has_some() -> bool:
        return in_hand(stack, worker) > 1

    async with asked(stack, f"lost-{service}-{how}", service) as turns:
        await soon(has_some, what="the worker has some of them in hand")
        worker.send_signal(how)
        began_s = time.monotonic()
        for instance in stack.instances.of(service):
            instance.fault("none")
        answers = await asyncio.gather(*turns)
        took_s = time.monotonic() - began_s
        worker.kill()
    assert {(answer.transcript, tuple(answer.sentences)) for answer in answers} == {
        (TRANSCRIPT, tuple(SENTENCES))
    }
    assert len(stack.front.events(LOST, printed)) > 1
    assert took_s < SOON_S


@pytest.mark.usefixtures("patient")
async def test_workers_that_are_slow_to_show_life_again_and_again_cost_a_turn_none_of_its_answer(
    stack: Stack,
) -> None:
    stages, printed = [stack.workers[service] for service in SERVICES], stack.front.printed_bytes()

    async def show_life() -> bool:
        return all(shows_life(stack, worker) for worker in stages)

    async with asked(stack, "starved", "tts", count=1) as (turn,):
        for instance in stack.instances.of("tts"):
            instance.fault("slow", 20 * SLOW)
        for number in range(LOST_SENDINGS + 1):
            lost = len(stack.front.events(LOST, printed))

            async def has_some() -> bool:
                return turn.done() or sentences_in_hand(stack) >= len(SENTENCES)

            async def is_lost(lost: int = lost) -> bool:
                return turn.done() or len(stack.front.events(LOST, printed)) >= lost + len(SENTENCES)

            await soon(has_some, what="workers have all sentences in hand")
            with all_stopped(stages):
                await soon(is_lost, what="they count as lost")
                if number == LOST_SENDINGS:
                    for instance in stack.instances.of("tts"):
                        instance.fault("none")
            await soon(show_life, what="all of them show life again")
        answer = await turn
    assert answer.sentences == SENTENCES


@pytest.fixture
async def speak_once(stack: Stack) -> None:
    """Leave one message to a worker that took a queue over: it may take one after it gave it back."""
    async with stack.front.device("speaks-once") as device:
        await device.says()


@pytest.mark.usefixtures("patient", "speak_once")
async def test_messages_that_redis_alone_knows_of_are_done_with_once_it_is_reached_again(
    stack: Stack,
) -> None:
    worker = stack.workers["llm"]

    async def has_one() -> bool:
        return in_hand(stack, worker) == 1

    async def has_none() -> bool:
        return in_hand(stack, worker) == 0

    with Redis.from_url(stack.broker.url) as client:
        async with asked(stack, "known-to-redis", "llm", count=1) as (turn,):
            await soon(has_one, what="the worker has it in hand")
            (key,) = [k for k in client.scan_iter(keys.taken("*")) if f":{worker.pid}:".encode() in k]
            ended: bytes = client.lrange(key, 0, -1)[0]
            stack.heal()
            assert (await turn).sentences == SENTENCES
        await soon(has_none, what="it is done with it")
        asked_before = len(stack.instances.asked())
        # As after a loss of the end of its file, and of the answer to a move.
        never_seen = ended.replace(json.loads(ended)["headers"]["id"].encode(), b"f" * 32)
        client.lpush(key, ended, never_seen)
        break_off_moves(client)
        await soon(has_none, what="neither is left")

        async def is_asked() -> bool:
            return len(stack.instances.asked()) == asked_before + 1

        await soon(is_asked, what="the one that was never seen is worked on")
