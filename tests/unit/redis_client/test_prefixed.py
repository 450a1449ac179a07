"""A scratch line beside live keys in a real Valkey."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.prefixed import SCRATCH_TTL_S, prefixed_client
from dispatcher.routing import instance_table as instances
from dispatcher.routing import leases
from dispatcher.routing.leases import Slot
from tests.support.broker import Broker
from tests.support.fleet import TURN, Fleet, llm


async def names(redis: RedisClient) -> set[str]:
    return {name.decode() for name in await redis.execute("KEYS", "*")}


async def test_picks_on_a_prefixed_client_touch_no_live_key_and_no_live_channel(
    fleet: Fleet, redis: RedisClient, broker: Broker
) -> None:
    await fleet.configure("round_robin", llm("A"))
    before = {name: await redis.execute("DUMP", name) for name in await names(redis)}
    client = Redis.from_url(broker.url)
    async with client, client.pubsub(ignore_subscribe_messages=True) as ear:
        await ear.subscribe(keys.FREED_CHANNEL)
        await ear.get_message(timeout=5)
        async with prefixed_client(broker.url) as scratch:
            await instances.publish_instances(scratch, "llm", "round_robin", [llm("B", cap=1)])
            held = await leases.pick(scratch, "llm", turn_id=TURN, now_ms=1_000)
            assert isinstance(held, Slot)
            assert held.name == "B"
            await leases.pick(scratch, "llm", turn_id=TURN, lease_id="waits", now_ms=1_001)
            await leases.finish(scratch, held, outcome="ok", latency_ms=5, now_ms=1_005)
            # A word on the live channel comes after whatever the scripts said there before.
            await redis.execute("PUBLISH", keys.FREED_CHANNEL, "live")
            message = await ear.get_message(timeout=5)
    assert message is not None
    assert message["data"] == b"live"
    assert {name: await redis.execute("DUMP", name) for name in await names(redis)} == before


async def test_scratch_keys_are_gone_after_an_error(redis: RedisClient, broker: Broker) -> None:
    async def fail() -> None:
        async with prefixed_client(broker.url) as scratch:
            scratch.uses(keys.leases("llm", "A"))
            await instances.publish_instances(scratch, "llm", "round_robin", [llm("A")])
            await leases.pick(scratch, "llm", turn_id=TURN)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await names(redis) == set()


async def test_scratch_keys_go_away_by_themselves_when_nobody_is_left_to_delete_them(
    redis: RedisClient, broker: Broker
) -> None:
    async with prefixed_client(broker.url) as scratch:
        scratch.uses(keys.leases("llm", "A"))
        await instances.publish_instances(scratch, "llm", "round_robin", [llm("A")])
        await leases.pick(scratch, "llm", turn_id=TURN)
        scratch.keep()
        await scratch.execute("EXISTS", keys.DECISIONS)
        found = await names(redis)
        assert len(found) == 4
        lifetimes = [int(await redis.execute("TTL", name)) for name in found]
    assert all(0 < each <= SCRATCH_TTL_S for each in lifetimes)
