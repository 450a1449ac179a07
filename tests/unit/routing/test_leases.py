"""Slots on instances: how many are given out, how they are held, and how they come back."""

from __future__ import annotations

import asyncio
from collections import Counter

from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import leases
from dispatcher.routing.leases import NoSlot, Slot
from tests.support.fleet import Fleet, llm
from tests.support.waiting import soon

LEASE_S = 5.0


async def test_a_burst_over_the_caps_admits_exactly_the_caps(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", cap=10), llm("B", cap=5))
    answers = await asyncio.gather(*(fleet.try_pick() for _ in range(60)))
    admitted = [answer for answer in answers if isinstance(answer, Slot)]
    assert Counter(slot.name for slot in admitted) == Counter(A=10, B=5)
    assert {answer for answer in answers if isinstance(answer, NoSlot)} == {NoSlot(full=True)}


async def test_a_slot_that_is_given_back_is_free_at_once(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    slot = await fleet.pick()
    assert await fleet.try_pick() == NoSlot(full=True)
    await fleet.finish(slot, "ok")
    assert (await fleet.pick()).in_flight == 1


async def test_a_lease_that_is_not_renewed_frees_its_slot_within_its_time(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    loop = asyncio.get_running_loop()
    taken_at = loop.time()
    await fleet.pick()

    async def free() -> bool:
        return isinstance(await fleet.try_pick(), Slot)

    await soon(free, what="the slot of a dead worker is free again", within_s=LEASE_S + 3)
    assert loop.time() - taken_at >= LEASE_S - 0.5


async def test_a_renewed_lease_keeps_its_slot_for_another_lease_time(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    slot = await fleet.pick()
    for _ in range(3):
        await fleet.time_passes(LEASE_S - 1, "A")
        assert await leases.renew(redis, [slot]) == 1
    assert await fleet.try_pick() == NoSlot(full=True)


async def test_a_lease_that_was_lost_is_not_taken_again_by_renewing_it(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    lost = await fleet.pick()
    await fleet.time_passes(LEASE_S + 1, "A")
    taken = await fleet.pick()
    assert await leases.renew(redis, [lost, taken]) == 1
    assert await fleet.in_flight("A") == 1


async def test_leases_on_several_instances_are_renewed_together(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    slots = [await fleet.pick() for _ in range(6)]
    assert await leases.renew(redis, slots) == 6


async def test_an_expired_lease_is_not_counted(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=3))
    await fleet.hold(3)
    await fleet.time_passes(LEASE_S + 1, "A")
    assert (await fleet.pick()).in_flight == 1
