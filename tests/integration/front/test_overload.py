"""Too many at once, and queues that nobody reads: a device is told so, soon."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator
from typing import Final

import pytest

from dispatcher.control.overload_status import pin_step
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from tests.support.instances import SENTENCES
from tests.support.stack import Stack
from tests.support.waiting import soon

# The turn itself may take 20 s, and its stages 2 s.
SOON_S: Final = 12.0


@pytest.fixture
async def redis(stack: Stack) -> AsyncGenerator[RedisClient]:
    """The Redis of the stack, without a pin in the end."""
    client = RedisClient(connect(stack.broker.url))
    yield client
    await pin_step(client, None)
    await client.close()


async def take_step(stack: Stack, redis: RedisClient, step: int) -> None:
    """Pin a step, and wait until the front has taken it."""
    seen = stack.front.printed_bytes()
    await pin_step(redis, step)

    async def taken() -> bool:
        return any(each["step"] == step for each in stack.front.events("overload step changed", seen))

    await soon(taken, what=f"the front takes step {step}")


async def test_with_too_many_at_once_a_device_is_told_so_and_answered_again_after(
    stack: Stack, redis: RedisClient
) -> None:
    async with stack.front.device("too-many") as device:
        await take_step(stack, redis, 5)
        assert (await device.types("what now?")).sentences == (APOLOGIES["busy", "en"],)
        await take_step(stack, redis, 4)
        assert (await device.types("what now?")).sentences == SENTENCES
    turns = [each for each in stack.front.events("turn finished") if each["device"] == "too-many"]
    assert [(each["outcome"], each["overload_step"]) for each in turns] == [
        ("turned away", 5),
        ("answered", 4),
    ]


async def test_a_turn_behind_a_queue_that_nobody_reads_is_apologised_for_soon(
    stack: Stack, redis: RedisClient
) -> None:
    worker = stack.workers["llm"]
    worker.send_signal(signal.SIGTERM)
    await asyncio.to_thread(worker.ends)
    # Others take over the queue of a worker that was lost, and one that another test killed is remembered.
    await redis.execute("DEL", keys.WORKERS)
    began_s = time.monotonic()
    async with stack.front.device("unread") as device:
        assert (await device.types("what now?")).sentences == (APOLOGIES["sorry", "en"],)
    assert time.monotonic() - began_s < SOON_S
    (apology,) = [each for each in stack.front.events("turn finished") if each["device"] == "unread"]
    assert apology["reason"] == "llm: no worker reads its queue"
