"""The door to the instances: leases are renewed while calls last, counted and given back at their end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from dispatcher.errors import (
    ContentRefused,
    EmptyReply,
    InstanceFailed,
    InstanceForbidden,
    InstanceRefused,
    NoInstanceAvailable,
)
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import router as router_module
from dispatcher.routing.router import Router
from tests.support.broker import Broker
from tests.support.fleet import Fleet, catalogue_of, llm
from tests.support.waiting import soon

CATALOGUE = catalogue_of("round_robin", [llm("A", cap=2)])
LONG_S = 30.0


@pytest.fixture
async def router(fleet: Fleet) -> AsyncIterator[Router]:
    """A router to one instance with two slots; none may be held when the test is over."""
    await fleet.configure("round_robin", llm("A", cap=2))
    yield Router(fleet.redis, CATALOGUE)
    assert await fleet.in_flight("A") == 0
    assert await fleet.redis.execute("ZCARD", keys.waiting("llm")) == 0


async def call(router: Router, ends: asyncio.Event, *, within_s: float = LONG_S) -> None:
    """Make a call that lasts until it is told to end."""
    async with router.lease("llm", turn_id="a-turn", deadline_at_s=time.time() + within_s):
        await ends.wait()


async def are_in_flight(fleet: Fleet, count: int) -> None:
    """Wait until so many slots are held."""

    async def reached() -> bool:
        return await fleet.in_flight("A") == count

    await soon(reached, what=f"{count} slots are held")


async def test_a_lease_is_held_for_as_long_as_the_call_lasts(
    fleet: Fleet, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "LEASE_TTL_MS", 900)
    monkeypatch.setattr(router_module, "RENEW_EVERY_S", 0.2)
    ends = asyncio.Event()
    async with asyncio.TaskGroup() as calls:
        calls.create_task(call(router, ends))
        await are_in_flight(fleet, 1)
        loop = asyncio.get_running_loop()
        until = loop.time() + 2.5
        while loop.time() < until:
            assert await fleet.in_flight("A") == 1
            await asyncio.sleep(0.05)
        ends.set()


async def test_a_cancelled_call_gives_its_slot_back_at_once_and_teaches_nothing(
    fleet: Fleet, router: Router
) -> None:
    before = await fleet.fields("A")
    calling = asyncio.create_task(call(router, asyncio.Event()))
    await are_in_flight(fleet, 1)
    calling.cancel()
    await asyncio.wait([calling])
    assert await fleet.in_flight("A") == 0
    assert "latency_ewma_ms" not in await fleet.fields("A")
    assert (await fleet.fields("A"))["weight"] == before["weight"]


async def is_cancelled_while_it_looks(router: Router, broker: Broker) -> None:
    """Make a call, and cancel it while Redis keeps it waiting for the answer to its look."""
    other = Redis.from_url(broker.url)
    async with other:
        await other.client_pause(500, all=True)
        calling = asyncio.create_task(call(router, asyncio.Event()))
        await asyncio.sleep(0.1)  # the look is on its way; Redis answers after its pause
        calling.cancel()
        await asyncio.wait([calling], timeout=0.2)
        assert calling.cancelled()


async def picks_in(fleet: Fleet, count: int) -> None:
    """Wait until so many slots were ever leased."""

    async def decided() -> bool:
        kept = await fleet.redis.execute("XRANGE", keys.DECISIONS, "-", "+")
        return sum(b"instance" in fields for _, fields in kept) >= count

    await soon(decided, what=f"{count} slots were leased")


async def test_a_slot_that_is_leased_at_the_moment_of_the_cancel_is_given_back_at_once(
    fleet: Fleet, router: Router, broker: Broker
) -> None:
    await is_cancelled_while_it_looks(router, broker)
    await picks_in(fleet, 1)
    cancelled_at = time.monotonic()
    await are_in_flight(fleet, 0)
    # By itself it would be free when its lease expires, five seconds after the pick.
    assert time.monotonic() - cancelled_at < keys.LEASE_TTL_MS / 1000 / 2
    assert "failures" not in await fleet.fields("A")


async def test_a_place_in_line_that_is_taken_at_the_moment_of_the_cancel_is_left_at_once(
    fleet: Fleet, router: Router, broker: Broker
) -> None:
    held = [await fleet.pick(), await fleet.pick()]
    await is_cancelled_while_it_looks(router, broker)

    async def nobody_waits() -> bool:
        return int(await fleet.redis.execute("ZCARD", keys.waiting("llm"))) == 0

    await soon(nobody_waits, what="the place in line is left", within_s=1.5)
    for slot in held:
        await fleet.finish(slot, "ignored")
    await are_in_flight(fleet, 0)


async def test_what_the_user_said_and_an_empty_reply_count_against_nobody(
    fleet: Fleet, router: Router
) -> None:
    for error, failures in (
        (ContentRefused("A", "HTTP 400: filtered"), None),
        (EmptyReply("A", "the reply is empty"), None),
        (InstanceRefused("A", "HTTP 400: no such parameter"), "1"),
        (InstanceForbidden("A", "HTTP 404: no such model"), "2"),
        (InstanceFailed("A", "HTTP 500"), "3"),
    ):
        with pytest.raises(type(error)):
            async with router.lease("llm", turn_id="a-turn", deadline_at_s=time.time() + LONG_S):
                raise error
        assert (await fleet.fields("A")).get("failures") == failures


async def test_a_call_waits_for_a_slot_and_says_how_long(fleet: Fleet, router: Router) -> None:
    ends = asyncio.Event()
    async with asyncio.TaskGroup() as calls:
        for _ in range(2):
            calls.create_task(call(router, ends))
        await are_in_flight(fleet, 2)
        asyncio.get_running_loop().call_later(0.2, ends.set)
        async with router.lease("llm", turn_id="b-turn", deadline_at_s=time.time() + LONG_S) as lease:
            assert lease.wait_ms >= 190


async def test_a_call_that_finds_no_slot_before_its_deadline_is_refused(fleet: Fleet, router: Router) -> None:
    ends = asyncio.Event()
    async with asyncio.TaskGroup() as calls:
        for _ in range(2):
            calls.create_task(call(router, ends))
        await are_in_flight(fleet, 2)
        with pytest.raises(NoInstanceAvailable, match="all full"):
            await call(router, ends, within_s=0.3)
        ends.set()


async def test_a_call_that_is_cancelled_while_it_waits_leaves_the_line(fleet: Fleet, router: Router) -> None:
    ends = asyncio.Event()
    async with asyncio.TaskGroup() as calls:
        for _ in range(2):
            calls.create_task(call(router, ends))
        await are_in_flight(fleet, 2)
        waiting = asyncio.create_task(call(router, ends))

        async def in_line() -> bool:
            return bool(await fleet.redis.execute("ZCARD", keys.waiting("llm")))

        await soon(in_line, what="the third call waits")
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not await in_line()
        ends.set()


async def test_a_call_for_which_no_instance_is_left_leaves_the_line(fleet: Fleet, router: Router) -> None:
    ends = asyncio.Event()
    async with asyncio.TaskGroup() as calls:
        for _ in range(2):
            calls.create_task(call(router, ends))
        await are_in_flight(fleet, 2)
        waiting = asyncio.create_task(call(router, ends))

        async def in_line() -> bool:
            return bool(await fleet.redis.execute("ZCARD", keys.waiting("llm")))

        await soon(in_line, what="the third call waits")
        await fleet.set_fields("A", draining=1)
        with pytest.raises(NoInstanceAvailable, match="none healthy"):
            await waiting
        assert not await in_line()
        ends.set()


async def test_more_calls_than_slots_are_all_served(router: Router) -> None:
    highest: list[int] = []

    async def short_call() -> None:
        async with router.lease("llm", turn_id="a-turn", deadline_at_s=time.time() + LONG_S) as lease:
            highest.append(lease.slot.in_flight)
            await asyncio.sleep(0)

    await asyncio.gather(*(short_call() for _ in range(20)))
    assert len(highest) == 20
    assert max(highest) == 2


async def test_a_redis_that_came_back_empty_is_told_of_the_instances(fresh_broker: Broker) -> None:
    redis = RedisClient(connect(fresh_broker.url))
    async with Router(redis, CATALOGUE).lease(
        "llm", turn_id="t", deadline_at_s=time.time() + LONG_S
    ) as lease:
        assert lease.instance.name == "A"
    await redis.close()
