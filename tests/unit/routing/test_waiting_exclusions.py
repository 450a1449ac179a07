"""Calls that may not use an instance, because it failed them, do not hold up those that may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import leases
from dispatcher.routing.leases import NoSlot, Slot
from tests.support.broker import Broker
from tests.support.fleet import TURN, Fleet, llm

FULL = NoSlot(full=True)
GONE_MS = 3000


async def looks(fleet: Fleet, caller: str, *, excluded: str = "") -> Slot | NoSlot:
    """Look for a slot as a call that keeps its place in line and failed on the excluded instances."""
    return await leases.pick(fleet.redis, "llm", turn_id=TURN, excluded=[*excluded], lease_id=caller)


async def gets(fleet: Fleet, caller: str, *, excluded: str = "") -> str:
    """Look, and return the name of the instance; there has to be a slot."""
    slot = await looks(fleet, caller, excluded=excluded)
    assert isinstance(slot, Slot), f"{caller} waits"
    return slot.name


@pytest.fixture
async def held(fleet: Fleet) -> dict[str, Slot]:
    """One slot each on A and B, both taken."""
    await fleet.configure("round_robin", llm("A", cap=1), llm("B", cap=1))
    return {slot.name: slot for slot in [await fleet.pick(), await fleet.pick()]}


@pytest.fixture
async def woken(broker: Broker) -> AsyncIterator[asyncio.Queue[str]]:
    """Who is told of a free slot, in order."""
    heard: asyncio.Queue[str] = asyncio.Queue(100)
    client = Redis.from_url(broker.url)
    async with client, client.pubsub(ignore_subscribe_messages=True) as ear:
        await ear.subscribe(keys.FREED_CHANNEL)
        await ear.get_message(timeout=5)

        async def listen() -> None:
            async for message in ear.listen():
                heard.put_nowait(message["data"].decode())

        listening = asyncio.create_task(listen())
        yield heard
        listening.cancel()
        await asyncio.wait([listening])


async def test_a_call_passes_those_in_front_that_may_not_use_the_free_slot(
    fleet: Fleet, held: dict[str, Slot]
) -> None:
    assert await looks(fleet, "failed on A", excluded="A") == FULL
    assert await looks(fleet, "behind") == FULL
    await fleet.finish(held["A"], "ok")
    assert await looks(fleet, "failed on A", excluded="A") == FULL
    assert await gets(fleet, "behind") == "A"


async def test_a_newcomer_passes_them_as_well(fleet: Fleet, held: dict[str, Slot]) -> None:
    assert await looks(fleet, "failed on A", excluded="A") == FULL
    await fleet.finish(held["A"], "ok")
    assert await gets(fleet, "newcomer") == "A"


async def test_who_passed_takes_nothing_from_them(fleet: Fleet, held: dict[str, Slot]) -> None:
    assert await looks(fleet, "failed on A", excluded="A") == FULL
    assert await looks(fleet, "behind") == FULL
    await fleet.finish(held["B"], "ok")
    assert await looks(fleet, "behind") == FULL
    assert await gets(fleet, "failed on A", excluded="A") == "B"


async def test_slots_of_two_instances_go_to_those_who_may_use_them_in_whatever_order_they_look(
    fleet: Fleet, held: dict[str, Slot]
) -> None:
    assert await looks(fleet, "failed on A", excluded="A") == FULL
    assert await looks(fleet, "failed on B", excluded="B") == FULL
    for slot in held.values():
        await fleet.finish(slot, "ok")
    assert await gets(fleet, "failed on B", excluded="B") == "A"
    assert await gets(fleet, "failed on A", excluded="A") == "B"


async def test_those_who_may_use_the_slot_keep_their_order_behind_one_who_may_not(
    fleet: Fleet, held: dict[str, Slot]
) -> None:
    assert await looks(fleet, "failed on A", excluded="A") == FULL
    assert await looks(fleet, "second") == FULL
    assert await looks(fleet, "third") == FULL
    await fleet.finish(held["A"], "ok")
    assert await looks(fleet, "third") == FULL
    assert await gets(fleet, "second") == "A"


async def test_a_freed_slot_wakes_the_first_who_may_use_it_and_the_first_of_all(
    fleet: Fleet, held: dict[str, Slot], woken: asyncio.Queue[str]
) -> None:
    for caller, excluded in (("failed on A", "A"), ("failed on it too", "A"), ("behind", ""), ("last", "")):
        assert await looks(fleet, caller, excluded=excluded) == FULL
    await fleet.finish(held["A"], "ok")
    async with asyncio.timeout(5):
        # The first of all, because a slot of the service's cap is free as well.
        assert [await woken.get(), await woken.get()] == ["failed on A", "behind"]


async def test_who_takes_the_first_of_two_free_slots_tells_the_first_who_may_use_the_other(
    fleet: Fleet, held: dict[str, Slot], woken: asyncio.Queue[str]
) -> None:
    for caller, excluded in (("first", ""), ("failed on A", "A"), ("third", "")):
        assert await looks(fleet, caller, excluded=excluded) == FULL
    for slot in held.values():
        await fleet.finish(slot, "ok")
    await fleet.set_fields("B", current=5)  # its turn
    assert await gets(fleet, "first") == "B"
    async with asyncio.timeout(5):
        assert [await woken.get() for _ in range(3)] == ["first", "first", "third"]


async def test_what_is_kept_of_a_waiting_call_goes_with_it(
    fleet: Fleet, held: dict[str, Slot], redis: RedisClient
) -> None:
    for caller in ("leaves", "dies", "is served"):
        assert await looks(fleet, caller, excluded="A") == FULL
    assert await redis.execute("HLEN", keys.line("excluded", "llm")) == 3
    assert 0 < await redis.execute("PTTL", keys.line("excluded", "llm")) <= 60_000
    leases.leave(redis, "llm", "leaves")
    await redis.execute("ZINCRBY", keys.line("seen", "llm"), -GONE_MS, "dies")
    await fleet.finish(held["B"], "ok")
    assert await gets(fleet, "is served", excluded="A") == "B"
    left = [keys.line("excluded", "llm"), keys.waiting("llm"), keys.line("seen", "llm")]
    assert await redis.execute("EXISTS", *left) == 0


async def test_a_slot_of_the_services_cap_goes_to_the_first_in_line_whichever_instance_it_may_use(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A", cap=8), llm("B", cap=8))
    await redis.execute("HSET", keys.fleet("llm"), "cap", 1)
    held = await fleet.pick()
    assert await looks(fleet, "failed on A", excluded="A") == FULL
    assert await looks(fleet, "failed on B", excluded="B") == FULL
    await fleet.finish(held, "ok")
    assert await looks(fleet, "failed on B", excluded="B") == FULL
    assert await gets(fleet, "failed on A", excluded="A") == "B"
