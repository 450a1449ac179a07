"""One client is a device, on however many fronts two of them come at once."""

from __future__ import annotations

import asyncio

from dispatcher.devices import registry
from dispatcher.devices.registry import DeviceDetails, Registered
from dispatcher.devices.registry_scripts import STRANGER_TTL_S
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient


async def test_of_many_first_clients_exactly_one_is_bound(redis: RedisClient) -> None:
    clients = [f"client-{number}" for number in range(50)]
    found = await asyncio.gather(*(registry.bind(redis, "d", each, greeted=True) for each in clients))

    assert sum(not known.is_other_client(client) for known, client in zip(found, clients, strict=True)) == 1


async def test_a_client_that_names_no_id_binds_nothing_and_is_not_a_bound_device(redis: RedisClient) -> None:
    assert not (await registry.bind(redis, "d", "", greeted=True)).client
    assert not (await registry.bind(redis, "d", "first", greeted=True)).is_other_client("first")
    assert (await registry.bind(redis, "d", "", greeted=True)).is_other_client("")
    assert await registry.admit(redis, "d")
    assert not (await registry.bind(redis, "d", "", greeted=True)).is_other_client("")


async def test_what_another_client_tells_ota_changes_nothing_of_the_device(redis: RedisClient) -> None:
    mine = DeviceDetails(accept_language="zh-CN", client_id="mine")
    await registry.record_seen(redis, "d", mine)
    await registry.bind(redis, "d", "mine", greeted=True)
    thief = DeviceDetails(accept_language="en-US", client_id="thief")
    await registry.record_seen(redis, "d", thief)

    assert (await registry.read(redis, "d")).accept_language == "zh-CN"


async def test_a_binding_comes_back_from_sql(redis: RedisClient) -> None:
    known = Registered(device_id="d", first_seen_ms=5, client=registry.client_digest("mine"))
    await registry.restore(redis, [(known, "")])

    assert (await registry.bind(redis, "d", "thief", greeted=True)).is_other_client("thief")


async def test_a_socket_without_a_hello_leaves_no_device_behind(redis: RedisClient) -> None:
    await registry.bind(redis, "d", "mine", greeted=False)

    assert 0 < await redis.execute("TTL", keys.device("d")) <= STRANGER_TTL_S
