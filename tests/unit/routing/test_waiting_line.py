"""Calls that find every slot taken: they wait in line, first come, first served."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from dispatcher.errors import TurnCancelled
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import leases
from dispatcher.routing.leases import NoSlot, Slot, WaitingOrder
from dispatcher.turn_store import utterance_audio
from tests.support.broker import Broker
from tests.support.fleet import TURN, Fleet, llm

FULL = NoSlot(full=True)
# One that looks no more is gone after two seconds.
GONE_S = 3


async def looks(fleet: Fleet, caller: str, *, turn_id: str = TURN) -> Slot | NoSlot:
    """Look for a slot as a call that keeps its place in line."""
    return await leases.pick(fleet.redis, "llm", turn_id=turn_id, lease_id=caller)


async def line_up(fleet: Fleet, *callers: str) -> None:
    """Let calls come one after the other and find nothing."""
    for caller in callers:
        assert await looks(fleet, caller) == FULL


async def looked_long_ago(redis: RedisClient, caller: str) -> None:
    """Move a caller's last look into the past, instead of waiting."""
    await redis.execute("ZINCRBY", keys.line("seen", "llm"), -GONE_S * 1000, caller)


async def test_a_freed_slot_goes_to_the_call_that_came_first(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    await line_up(fleet, "first", "second")
    await fleet.finish(held, "ok")
    assert await looks(fleet, "second") == FULL
    assert isinstance(await looks(fleet, "first"), Slot)
    assert await looks(fleet, "second") == FULL


async def test_a_newcomer_does_not_overtake_those_that_wait(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    await line_up(fleet, "waiting")
    await fleet.finish(held, "ok")
    assert await looks(fleet, "newcomer") == FULL
    assert await fleet.try_pick() == FULL
    assert isinstance(await looks(fleet, "waiting"), Slot)


async def test_a_look_again_does_not_cost_the_place_in_line(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    await line_up(fleet, "first", "second", "first", "first")
    await fleet.finish(held, "ok")
    assert await looks(fleet, "second") == FULL
    assert isinstance(await looks(fleet, "first"), Slot)


async def test_with_room_for_all_that_wait_nobody_has_to_let_others_pass(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=2))
    held = [await fleet.pick(), await fleet.pick()]
    await line_up(fleet, "first", "second")
    for slot in held:
        await fleet.finish(slot, "ok")
    assert isinstance(await looks(fleet, "second"), Slot)
    assert await looks(fleet, "third") == FULL
    assert isinstance(await looks(fleet, "first"), Slot)


async def test_a_single_look_takes_no_place_in_line(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    await fleet.pick()
    assert await fleet.try_pick() == FULL
    assert await redis.execute("EXISTS", keys.waiting("llm"), keys.line("seen", "llm")) == 0


async def test_a_call_of_a_dead_process_loses_its_place(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    await line_up(fleet, "dead", "alive")
    await looked_long_ago(redis, "dead")
    await fleet.finish(held, "ok")
    assert isinstance(await looks(fleet, "alive"), Slot)


async def test_a_call_that_leaves_lets_the_next_one_pass(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    await line_up(fleet, "impatient", "patient")
    leases.leave(redis, "llm", "impatient")
    await fleet.finish(held, "ok")
    assert isinstance(await looks(fleet, "patient"), Slot)


async def test_a_turn_that_was_spoken_over_loses_its_place(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    assert await looks(fleet, "spoken over", turn_id="another-turn") == FULL
    await line_up(fleet, "next")
    utterance_audio.cancel(redis, "another-turn")
    with pytest.raises(TurnCancelled):
        await looks(fleet, "spoken over", turn_id="another-turn")
    await fleet.finish(held, "ok")
    assert isinstance(await looks(fleet, "next"), Slot)


async def test_a_freed_slot_is_announced_to_the_call_that_waits_longest(fleet: Fleet, broker: Broker) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    await line_up(fleet, "first", "second")
    client = Redis.from_url(broker.url)
    async with client, client.pubsub(ignore_subscribe_messages=True) as ear:
        await ear.subscribe(keys.FREED_CHANNEL)
        await ear.get_message(timeout=5)
        await fleet.finish(held, "ok")
        async with asyncio.timeout(5):
            async for message in ear.listen():
                assert message["data"] == b"first"
                break


async def test_every_decision_is_kept_with_its_reason_and_its_outcome(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A", cap=1), llm("B"))
    await fleet.call_ends("B", "failed", times=3)
    await redis.execute("DEL", keys.DECISIONS)
    slot = await fleet.pick()
    await fleet.finish(slot, "ok", latency_ms=12)
    picked, ended = [fields for _, fields in await redis.execute("XRANGE", keys.DECISIONS, "-", "+")]
    assert picked[b"instance"] == b"A"
    assert picked[b"candidates"] == b"A 0/1, B ejected"
    assert picked[b"reason"].startswith(b"round_robin: ")
    assert (ended[b"lease"], ended[b"outcome"]) == (picked[b"lease"], b"ok")


async def serve(fleet: Fleet, held: Slot, waiting: dict[str, WaitingOrder]) -> list[str]:
    """End call after call of a service with one slot; return in which order those that wait are served."""
    served: list[str] = []
    while waiting:
        await fleet.finish(held, "ok")
        for caller, order in waiting.items():
            found = await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id=caller, order=order)
            if isinstance(found, Slot):
                held = found
                served.append(caller)
        waiting = {caller: order for caller, order in waiting.items() if caller not in served}
    return served


async def served_in(fleet: Fleet, orders: dict[str, WaitingOrder]) -> list[str]:
    """Let calls come one after the other while the only slot is held, and serve them."""
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    for caller, order in orders.items():
        assert await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id=caller, order=order) == FULL
    return await serve(fleet, held, orders)


async def test_each_round_of_the_line_has_one_call_of_each_device(fleet: Fleet) -> None:
    greedy = {f"greedy-{number}": WaitingOrder(sharer="greedy") for number in range(5)}
    others = {name: WaitingOrder(sharer=name) for name in ("one", "two")}
    expected = ["greedy-0", "one", "two", "greedy-1", "greedy-2", "greedy-3", "greedy-4"]
    assert await served_in(fleet, {**greedy, **others}) == expected


async def test_a_device_that_comes_back_is_not_behind_all_calls_of_another(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    greedy = {f"greedy-{number}": WaitingOrder(sharer="greedy") for number in range(3)}
    for caller, order in greedy.items():
        assert await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id=caller, order=order) == FULL
    await fleet.finish(held, "ok")
    first = await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id="greedy-0", order=greedy["greedy-0"])
    assert isinstance(first, Slot)
    back = WaitingOrder(sharer="back")
    assert await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id="back", order=back) == FULL
    rest = {name: greedy[name] for name in ("greedy-1", "greedy-2")}
    assert await serve(fleet, first, {**rest, "back": back}) == ["back", "greedy-1", "greedy-2"]


async def test_a_call_that_leaves_the_line_costs_its_device_no_share(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    held = await fleet.pick()
    for caller, sharer in (("spoken over", "one"), ("other", "two"), ("other's next", "two")):
        order = WaitingOrder(sharer=sharer)
        assert await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id=caller, order=order) == FULL
    leases.leave(fleet.redis, "llm", "spoken over")
    rest = {"again": WaitingOrder(sharer="one")} | {
        name: WaitingOrder(sharer="two") for name in ("other", "other's next")
    }
    assert await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id="again", order=rest["again"]) == FULL
    assert await serve(fleet, held, rest) == ["other", "again", "other's next"]


async def test_what_runs_dry_first_is_spoken_first(fleet: Fleet) -> None:
    now_ms = time.time() * 1000
    orders = {
        "later": WaitingOrder(due_ms=now_ms + 9_000),
        "soon": WaitingOrder(due_ms=now_ms + 2_000),
        "first sentence": WaitingOrder(sharer="new", due_ms=now_ms + 500),
    }
    assert await served_in(fleet, orders) == ["first sentence", "soon", "later"]


async def test_shares_are_forgotten_once_nobody_waits(fleet: Fleet) -> None:
    await served_in(fleet, {f"greedy-{number}": WaitingOrder(sharer="greedy") for number in range(3)})
    await fleet.redis.execute("DEL", keys.leases("llm", "A"))
    orders = {"greedy": WaitingOrder(sharer="greedy"), "other": WaitingOrder(sharer="other")}
    assert await served_in(fleet, orders) == ["greedy", "other"]


async def test_a_call_that_does_not_wait_leaves_no_trace_of_shares(fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("A", cap=1))
    order = WaitingOrder(sharer="one")
    assert isinstance(
        await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id="at once", order=order), Slot
    )
    assert not await fleet.redis.execute("EXISTS", keys.line("rounds", "llm"))
