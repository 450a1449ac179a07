"""Calls on spare slots, and real calls that take these from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.catalogue.conversation import Conversation, PrefillRules
from dispatcher.errors import NoInstanceAvailable
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import connect
from dispatcher.redis_client.pubsub import subscribe
from dispatcher.routing import decisions
from dispatcher.routing.leases import FIRST_COME
from dispatcher.routing.router import Router
from dispatcher.routing.rules.constants import SPARE_REASON
from dispatcher.routing.spare_slots import SPARE_ORDER, YIELD_CHANNEL, ask_for_slot
from tests.support.broker import Broker
from tests.support.fleet import Fleet, catalogue_of, llm

LONG_S = 30.0


def router_to(fleet: Fleet, *, cap: int) -> Router:
    """Return a router to one instance, in a catalogue that has calls on spare slots."""
    rules = Conversation(prefill=PrefillRules(enabled=True))
    return Router(fleet.redis, replace(catalogue_of("round_robin", [llm("A", cap=cap)]), conversation=rules))


@pytest.fixture
async def router(fleet: Fleet, broker: Broker) -> AsyncIterator[Router]:
    """A router to one instance with two slots, which is sent which of its calls are to yield."""
    await fleet.configure("round_robin", llm("A", cap=2))
    router = router_to(fleet, cap=2)
    client = connect(broker.url, socket_timeout_s=None)
    ready = asyncio.Event()

    async def listen() -> None:
        async for channel, lease in subscribe(
            client, YIELD_CHANNEL, keys.FREED_CHANNEL, on_subscribed=ready.set
        ):
            (router.line.wake if channel == keys.FREED_CHANNEL else router.spare_slots.give_up)(lease)

    listening = asyncio.create_task(listen())
    await ready.wait()
    yield router
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await client.aclose()
    assert await fleet.in_flight("A") == 0
    assert await fleet.redis.execute("ZCARD", keys.waiting("llm")) == 0


class Call:
    """One call that lasts until it is told to end."""

    def __init__(self, router: Router, turn_id: str, *, is_spare: bool = False) -> None:
        self.has_slot = asyncio.Event()
        self.ends = asyncio.Event()
        self.task = asyncio.create_task(self._make(router, turn_id, is_spare=is_spare))

    async def _make(self, router: Router, turn_id: str, *, is_spare: bool) -> str:
        deadline_at_s = 0.0 if is_spare else time.time() + LONG_S
        order = SPARE_ORDER if is_spare else FIRST_COME
        async with router.lease("llm", turn_id=turn_id, deadline_at_s=deadline_at_s, order=order) as lease:
            self.has_slot.set()
            await self.ends.wait()
            return lease.slot.reason

    async def end(self) -> str:
        self.ends.set()
        return await self.task


async def begun(router: Router, turn_id: str, *, is_spare: bool = False) -> Call:
    """Return a call that has its slot."""
    call = Call(router, turn_id, is_spare=is_spare)
    has_slot = asyncio.create_task(call.has_slot.wait())
    await asyncio.wait([has_slot, call.task], return_when=asyncio.FIRST_COMPLETED, timeout=LONG_S)
    assert has_slot.done(), call.task
    return call


async def test_a_call_on_a_spare_slot_runs_to_its_end_while_nobody_wants_the_slot(router: Router) -> None:
    ahead = await begun(router, "ahead", is_spare=True)
    real = await begun(router, "real")
    assert SPARE_REASON in await ahead.end()
    assert SPARE_REASON not in await real.end()


async def test_half_of_the_slots_are_never_spare_ones(router: Router) -> None:
    real = await begun(router, "real")
    with pytest.raises(NoInstanceAvailable, match="no slot to spare"):
        await Call(router, "ahead", is_spare=True).task
    await real.end()


async def test_a_call_that_gets_no_spare_slot_leaves_its_dialogue_where_it_is(
    fleet: Fleet, router: Router
) -> None:
    key = keys.affinity("llm", "device")
    held = await begun(router, "real")
    call: dict[str, Any] = {
        "turn_id": "ahead",
        "deadline_at_s": 0.0,
        "order": SPARE_ORDER,
        "dialogue": "device",
    }
    with pytest.raises(NoInstanceAvailable, match="no slot to spare"):
        async with router.lease("llm", **call):
            pass
    assert not await fleet.redis.execute("EXISTS", key)
    await held.end()
    async with router.lease("llm", **call):
        assert await fleet.redis.execute("EXISTS", key)
    await fleet.redis.execute("DEL", key)
    await fleet.redis.execute("HSET", keys.instance("llm", "A"), "healthy", "0")
    with pytest.raises(NoInstanceAvailable, match="no slot to spare"):
        async with router.lease("llm", **call):
            pass
    assert not await fleet.redis.execute("EXISTS", key)


async def test_a_call_on_a_spare_slot_does_not_wait_for_one(router: Router) -> None:
    held = [await begun(router, "real"), await begun(router, "real")]
    with pytest.raises(NoInstanceAvailable, match="all full"):
        await Call(router, "ahead", is_spare=True).task
    for each in held:
        await each.end()


async def test_a_real_call_that_finds_every_slot_taken_takes_the_spare_one(
    fleet: Fleet, router: Router
) -> None:
    ahead = await begun(router, "ahead", is_spare=True)
    first = await begun(router, "real")
    second = await begun(router, "real")
    with pytest.raises(NoInstanceAvailable, match="a real call took its slot"):
        await ahead.task
    assert await fleet.redis.execute("HLEN", keys.spare("llm")) == 0
    assert "latency_ewma_ms" not in await fleet.fields("A"), "it teaches nothing"
    for each in (first, second):
        await each.end()


async def test_the_youngest_call_gives_its_slot(fleet: Fleet, router: Router) -> None:
    await fleet.redis.execute("HSET", keys.instance("llm", "A"), "cap", 4)
    router.active.current = router_to(fleet, cap=4).active.current
    older = await begun(router, "ahead", is_spare=True)
    await asyncio.sleep(0.002)
    younger = await begun(router, "ahead-too", is_spare=True)
    real = [await begun(router, "real") for _ in range(3)]
    with pytest.raises(NoInstanceAvailable):
        await younger.task
    assert not older.task.done()
    for each in (older, *real):
        await each.end()


async def test_a_real_call_takes_no_spare_slot_where_it_may_not_go(fleet: Fleet, router: Router) -> None:
    instances = [llm("A", cap=2), llm("B", cap=1)]
    await fleet.configure("round_robin", *instances)
    rules = router.active.current.conversation
    router.active.current = replace(catalogue_of("round_robin", instances), conversation=rules)
    ahead = await begun(router, "ahead", is_spare=True)
    real = [await begun(router, "real") for _ in range(2)]
    with pytest.raises(NoInstanceAvailable, match="all full"):
        async with router.lease("llm", turn_id="t", deadline_at_s=time.time() + 0.05, excluded={"A"}):
            pass
    assert not ahead.task.done()
    for each in (ahead, *real):
        await each.end()


async def test_a_call_that_is_cancelled_while_it_asks_leaves_its_place_in_line(
    fleet: Fleet, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = asyncio.Event()

    async def ask(*_: object) -> None:
        asks.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("dispatcher.routing.router.ask_for_slot", ask)
    held = [await begun(router, "real"), await begun(router, "real")]
    late = Call(router, "late")
    await asks.wait()
    assert await fleet.redis.execute("ZCARD", keys.waiting("llm")) == 1
    late.task.cancel()
    await asyncio.wait([late.task])
    assert await fleet.redis.execute("ZCARD", keys.waiting("llm")) == 0
    for each in held:
        await each.end()


async def test_an_instance_that_failed_the_real_call_need_not_give_it_a_slot(
    fleet: Fleet, router: Router
) -> None:
    ahead = await begun(router, "ahead", is_spare=True)
    assert not await ask_for_slot(fleet.redis, "llm", {"A"})
    assert await ask_for_slot(fleet.redis, "llm", {"B"})
    with pytest.raises(NoInstanceAvailable):
        await ahead.task


async def test_the_least_bad_instance_of_a_broken_service_has_no_spare_slot(
    fleet: Fleet, router: Router
) -> None:
    await fleet.redis.execute("HSET", keys.instance("llm", "A"), "healthy", "0")
    with pytest.raises(NoInstanceAvailable, match="no slot to spare"):
        await Call(router, "ahead", is_spare=True).task


async def test_a_barge_in_ends_a_call_on_a_spare_slot_as_any_other(router: Router) -> None:
    ahead = await begun(router, "ahead", is_spare=True)
    ahead.task.cancel()
    await asyncio.wait([ahead.task])
    assert ahead.task.cancelled()


async def test_a_call_that_is_asked_for_its_slot_and_cancelled_is_cancelled(
    fleet: Fleet, router: Router
) -> None:
    ahead = await begun(router, "ahead", is_spare=True)
    (lease,) = await fleet.redis.execute("ZRANGE", keys.leases("llm", "A"), 0, -1)
    router.spare_slots.give_up("of another process")
    router.spare_slots.give_up(lease.decode())
    router.spare_slots.give_up(lease.decode())
    ahead.task.cancel()
    await asyncio.wait([ahead.task])
    assert ahead.task.cancelled()


async def test_why_says_that_a_call_was_on_a_spare_slot(fleet: Fleet, router: Router) -> None:
    ahead = await begun(router, "5f0c1d2a", is_spare=True)
    await ahead.end()
    (decision,) = await decisions.of_turn(fleet.redis, "5f0c1d2a")
    assert SPARE_REASON in decision.reason


async def test_a_call_of_a_turn_that_was_committed_is_real_and_keeps_its_slot(
    fleet: Fleet, router: Router
) -> None:
    ahead = await begun(router, "ahead", is_spare=True)
    await fleet.redis.execute("SET", keys.committed("ahead"), 1, "EX", keys.TURN_TTL_S)
    assert not await ask_for_slot(fleet.redis, "llm", ())
    assert SPARE_REASON in await ahead.end()
