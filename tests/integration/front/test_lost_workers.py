"""A worker dies, or stands still, with turns in hand: others go on with them at once, and nobody hears twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final

import pytest
from redis import Redis

from dispatcher.contracts import Service
from dispatcher.state import keys
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.processes import Process
from tests.support.stack import Stack, worker_command
from tests.support.waiting import eventually, soon

DEVICES: Final = 6
# The whole answer takes 0.3 s here, and a stage that is late is sent again after 20 s.
STAGE_TIMEOUT_S: Final = 20.0
SOON_S: Final = 8.0
# Of what takes 20 ms, so that a stage is in hand for long enough.
SLOW: Final = 60


@pytest.fixture
async def patient(stack: Stack) -> AsyncGenerator[None]:
    """Let stages be late for long, so that what is quick is not their being late."""
    own = stack.own_catalogue
    rules = replace(own.conversation, stage_timeout_s=STAGE_TIMEOUT_S)
    await stack.put_in_force(replace(own, conversation=rules))
    yield
    stack.heal()
    await stack.put_in_force(own)


def in_hand(stack: Stack, worker: Process) -> int:
    """Return how many messages a worker process works on."""
    with Redis.from_url(stack.broker.url) as client:
        lists = [key for key in client.scan_iter(keys.taken("*")) if f":{worker.pid}:".encode() in key]  # type: ignore[arg-type]
        return sum(int(client.llen(key)) for key in lists)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("service", ["asr", "llm", "tts"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_the_turns_of_a_worker_that_is_lost_are_answered_at_once_by_another(
    stack: Stack, service: Service, how: signal.Signals
) -> None:
    spare = Process(
        f"spare-{service}", worker_command("-Q", service, "-n", "spare@%h"), folder=stack.folder, environ=stack.environ
    )
    worker = stack.workers[service]
    for instance in stack.instances.of(service):
        instance.fault("slow", SLOW)
    async with AsyncExitStack() as open_ones:
        devices = [
            await open_ones.enter_async_context(stack.front.device(f"lost-{service}-{how}-{n}"))
            for n in range(DEVICES)
        ]
        printed = stack.front.printed_bytes()
        turns = [asyncio.create_task(device.says()) for device in devices]

        async def has_all() -> bool:
            return in_hand(stack, worker) >= DEVICES

        await soon(has_all, what="the worker has all of them in hand")
        worker.send_signal(how)
        spare.start()
        began = asyncio.get_running_loop().time()
        for instance in stack.instances.of(service):
            instance.fault("none")
        try:
            answers = await asyncio.gather(*turns)
            took_s = asyncio.get_running_loop().time() - began
        finally:
            worker.send_signal(signal.SIGKILL)
            spare.kill()
    print("TOOK", service, how, took_s, len(stack.front.events("stage lost with its worker", printed)))
    for answer in answers:
        assert (answer.transcript, answer.sentences) == (TRANSCRIPT, SENTENCES)
    assert len(stack.front.events("stage lost with its worker", printed)) >= DEVICES
    assert took_s < SOON_S
