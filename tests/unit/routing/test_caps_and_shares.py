"""Caps, shares and the line to the last call, from several processes' connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from dispatcher.messages import Algorithm
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import leases
from dispatcher.routing.leases import NoSlot, Slot
from tests.support.broker import Broker
from tests.support.fleet import TURN, Fleet, llm

FULL = NoSlot(full=True)


@pytest.fixture
async def lines(broker: Broker) -> AsyncIterator[list[RedisClient]]:
    """Connections as three processes have them."""
    opened = [RedisClient(connect(broker.url)) for _ in range(3)]
    yield opened
    for each in opened:
        await each.close()


async def looks(redis: RedisClient, caller: str) -> Slot | NoSlot:
    """Look for a slot as a call that keeps its place in line."""
    return await leases.pick(redis, "llm", turn_id=TURN, lease_id=caller)


@pytest.mark.parametrize(
    "algorithm",
    ["round_robin", "weighted_round_robin", "least_connections", "response_time", "resource_based"],
)
async def test_a_burst_of_60_over_caps_8_3_4_admits_exactly_8_3_and_4(
    fleet: Fleet, lines: list[RedisClient], algorithm: Algorithm
) -> None:
    await fleet.configure(algorithm, llm("A", cap=8), llm("B", cap=3), llm("C", cap=4))
    answers = await asyncio.gather(
        *(leases.pick(lines[number % 3], "llm", turn_id=TURN) for number in range(60))
    )
    admitted = Counter(answer.name for answer in answers if isinstance(answer, Slot))
    assert admitted == Counter(A=8, B=3, C=4)
    assert answers.count(FULL) == 45


@pytest.mark.parametrize("weights", [(4, 1), (5, 3, 2), (7, 1, 1)])
async def test_shares_are_exact_over_every_cycle(fleet: Fleet, weights: tuple[int, ...]) -> None:
    instances = [llm(name, weight=weight) for name, weight in zip("ABC", weights, strict=False)]
    await fleet.configure("weighted_round_robin", *instances)
    cycles = [Counter(await fleet.pick_in_turn(sum(weights))) for _ in range(5)]
    assert cycles == [Counter(dict(zip("ABC", weights, strict=False)))] * 5


async def test_the_cap_of_a_service_is_never_exceeded(fleet: Fleet, lines: list[RedisClient]) -> None:
    await fleet.configure("least_connections", llm("A", cap=8), llm("B", cap=8))
    await fleet.redis.execute("HSET", keys.fleet("llm"), "cap", 5)
    answers = await asyncio.gather(
        *(leases.pick(lines[number % 3], "llm", turn_id=TURN) for number in range(30))
    )
    held = [answer for answer in answers if isinstance(answer, Slot)]
    assert len(held) == 5
    assert answers.count(FULL) == 25
    await fleet.finish(held[0], "ok")
    assert isinstance(await fleet.try_pick(), Slot)
    assert await fleet.try_pick() == FULL


async def test_the_cap_of_a_service_also_holds_when_no_instance_is_healthy(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=8))
    await fleet.redis.execute("HSET", keys.fleet("llm"), "cap", 2)
    await fleet.call_ends("A", "failed", times=3)
    assert await fleet.hold(2) == Counter(A=2)
    assert await fleet.try_pick() == FULL


async def test_calls_on_instances_that_a_reload_removed_count_towards_the_cap_of_the_service(
    fleet: Fleet,
) -> None:
    await fleet.configure("round_robin", llm("A", cap=8), llm("B", cap=8))
    await fleet.redis.execute("HSET", keys.fleet("llm"), "cap", 4)
    removed = [slot for slot in [await fleet.pick() for _ in range(4)] if slot.name == "A"]
    await fleet.configure("round_robin", llm("B", cap=8))
    await fleet.redis.execute("HSET", keys.fleet("llm"), "cap", 4)
    assert (len(removed), await fleet.try_pick()) == (2, FULL)
    await fleet.finish(removed[0], "ok")
    assert (await fleet.pick()).name == "B"
    assert await fleet.try_pick() == FULL
    # One whose process died counts no longer than its lease.
    await fleet.time_passes(10, "A")
    assert (await fleet.pick()).name == "B"


async def test_calls_of_several_processes_are_served_in_the_order_in_which_they_came(
    fleet: Fleet, lines: list[RedisClient]
) -> None:
    await fleet.configure("least_connections", llm("A", cap=1), llm("B", cap=1))
    held = [await fleet.pick(), await fleet.pick()]
    callers = [(f"call-{number}", lines[number % 3]) for number in range(9)]
    for caller, line in callers:
        assert await looks(line, caller) == FULL
    served: list[str] = []
    while held:
        await fleet.finish(held.pop(0), "ok")
        # All look at once, the last ones first.
        waiting = [(caller, line) for caller, line in reversed(callers) if caller not in served]
        answers = await asyncio.gather(*(looks(line, caller) for caller, line in waiting))
        for (caller, _), answer in zip(waiting, answers, strict=True):
            if isinstance(answer, Slot):
                served.append(caller)
                held.append(answer)
    assert served == [caller for caller, _ in callers]


async def test_a_slot_that_was_freed_beside_another_is_announced_to_the_second_in_line(
    fleet: Fleet, redis: RedisClient, broker: Broker
) -> None:
    await fleet.configure("round_robin", llm("A", cap=2))
    held = [await fleet.pick(), await fleet.pick()]
    for caller in ("first", "second"):
        assert await looks(redis, caller) == FULL
    client = Redis.from_url(broker.url)
    async with client, client.pubsub(ignore_subscribe_messages=True) as ear:
        await ear.subscribe(keys.FREED_CHANNEL)
        await ear.get_message(timeout=5)
        for slot in held:
            await fleet.finish(slot, "ok")
        assert isinstance(await looks(redis, "first"), Slot)
        heard: list[bytes] = []
        async with asyncio.timeout(5):
            async for message in ear.listen():
                heard.append(message["data"])
                if len(heard) == 3:
                    break
    assert heard == [b"first", b"first", b"second"]
