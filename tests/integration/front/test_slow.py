"""One of two LLM instances becomes slow: users hear the quick one, and the slow one is probed unheard."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace

import pytest
from redis import Redis

from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import decisions
from dispatcher.routing.decisions import Decision
from tests.support.instances import SENTENCES
from tests.support.stack import Stack
from tests.support.waiting import soon

LLM: Service = "llm"


@pytest.fixture
async def in_turns(stack: Stack) -> AsyncGenerator[Stack]:
    """Have the LLM instances take turns; afterwards the stack's own file is in force again."""
    stack.restart_worker(LLM)
    own = stack.own_catalogue
    llm = replace(own.services[LLM], algorithm="round_robin")
    await stack.activate(replace(own, services={**own.services, LLM: llm}))
    yield stack
    await stack.activate(own)


def known(stack: Stack, name: str) -> Mapping[bytes, bytes]:
    """Return what is known of an LLM instance."""
    with Redis.from_url(stack.broker.url) as client:
        found: Mapping[bytes, bytes] = client.hgetall(keys.instance(LLM, name))
    return found


def a_probe_is_due(stack: Stack, name: str) -> None:
    """Let a minute without a probe have passed."""
    fields = {"slow_since_ms": time.time() * 1000 - 70_000, "probed_at_ms": time.time() * 1000 - 65_000}
    with Redis.from_url(stack.broker.url) as client:
        client.hset(keys.instance(LLM, name), mapping=fields)


async def decided(stack: Stack, device: str) -> Sequence[Decision]:
    """Return how the LLM instances of the last turn of a device were chosen."""
    turn = [each for each in stack.front.events("turn finished") if each["device"] == device][-1]
    redis = RedisClient(connect(stack.broker.url))
    try:
        made = await decisions.of_turn(redis, turn["turn"])
    finally:
        await redis.close()
    return [each for each in made if each.service == LLM]


async def test_turns_go_to_the_quick_one_at_once_and_to_both_again_when_a_probe_was_answered_well(
    in_turns: Stack,
) -> None:
    stack, name = in_turns, "slow-victim"
    slow, _ = stack.instances.of(LLM)
    async with stack.front.device(name) as device:

        async def turn() -> str:
            assert (await device.types("what now?")).sentences == SENTENCES
            return str(stack.front.events("turn finished")[-1]["llm_instance"])

        assert {await turn() for _ in range(4)} == {"llm-1", "llm-2"}
        # Forty times 45 ms: less than after what one that lost is given up.
        slow.fault("slow", 40)
        assert [await turn() for _ in range(2)] == ["llm-2"] * 2, "one lost race"
        await stack.is_given_back()
        assert b"first_ms" in known(stack, "llm-1")
        assert [await turn() for _ in range(4)] == ["llm-2"] * 4
        assert b"slow_since_ms" in known(stack, "llm-1")
        slow.fault("none")
        a_probe_is_due(stack, "llm-1")
        assert await turn() == "llm-2", "nobody waits for the probe"
        picks = await decided(stack, name)
        assert [(each.instance, each.is_probe) for each in picks] == [("llm-2", False), ("llm-1", True)]

        async def has_a_share() -> bool:
            return await turn() == "llm-1"

        await soon(has_a_share, what="the recovered model answers again")
    assert stack.failures(LLM, "llm-1") == 0
