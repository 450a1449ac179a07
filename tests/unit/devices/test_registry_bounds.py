"""The registry in Redis: bounded, and no number of strangers pushes a known device out."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.devices import registry, registry_scripts
from dispatcher.devices.registry import DeviceDetails, Registered
from dispatcher.devices.registry_scripts import STRANGER_TTL_S
from dispatcher.dialogue_store import memory
from dispatcher.errors import StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient


async def test_strangers_replace_strangers_and_never_a_known_device(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_scripts, "STRANGERS_KEPT", 20)
    await registry.bind(redis, "known", "", greeted=True)
    flood = (registry.record_seen(redis, f"made-up-{number}") for number in range(200))
    await asyncio.gather(*flood)
    assert await redis.execute("ZCARD", keys.STRANGERS) == 20
    assert len(await redis.execute("KEYS", keys.device("*"))) == 21
    assert (await registry.read(redis, "known")).first_seen_ms
    assert [device.device_id for device in await registry.read_all(redis)] == ["known"]


async def test_the_code_of_a_stranger_that_is_gone_is_free_again(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_scripts, "STRANGERS_KEPT", 1)
    first = await registry.record_seen(redis, "first", wants_code=True)
    assert await registry.find_by_code(redis, first.code) == "first"
    await asyncio.sleep(0.002)  # strangers go by the time at which they came
    second = await registry.record_seen(redis, "second", wants_code=True)
    assert await registry.find_by_code(redis, second.code) == "second"
    assert await registry.find_by_code(redis, first.code) is None


async def test_a_full_registry_takes_nobody_and_loses_nobody(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_scripts, "DEVICES_KEPT", 2)
    for name in ("one", "two", "three"):
        await registry.bind(redis, name, "", greeted=True)
    assert {device.device_id for device in await registry.read_all(redis)} == {"one", "two"}
    with pytest.raises(StateError, match="2 devices are registered"):
        await registry.set_field(redis, "four", "blocked", "1")


async def test_a_device_that_was_away_for_half_a_year_gives_way_unless_it_was_marked(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_scripts, "DEVICES_KEPT", 2)
    for name in ("old", "named"):
        await registry.bind(redis, name, "", greeted=True)
        await redis.execute("ZADD", keys.DEVICES, 1, name)
    await registry.set_field(redis, "named", "name", "kitchen")
    await redis.execute("ZADD", keys.DEVICES, 1, "named")
    await registry.bind(redis, "new", "", greeted=True)
    assert {device.device_id for device in await registry.read_all(redis)} == {"named", "new"}


async def test_what_a_device_says_and_what_an_operator_says_stand_side_by_side(redis: RedisClient) -> None:
    details = DeviceDetails(board="bread", firmware="2.4.0", accept_language="zh-CN")
    await registry.record_seen(redis, "d", details)
    assert 0 < await redis.execute("TTL", keys.device("d")) <= STRANGER_TTL_S
    await registry.set_field(redis, "d", "language", "en")
    assert await redis.execute("TTL", keys.device("d")) == -1
    await registry.record_seen(redis, "d", DeviceDetails(firmware="2.5.0"))
    known = await registry.bind(redis, "d", "", greeted=True)
    assert (known.board, known.firmware, known.language) == ("bread", "2.5.0", "en")
    await registry.set_field(redis, "d", "language", "")
    assert (await registry.read(redis, "d")).language is None


async def test_what_comes_back_from_sql_leaves_what_is_newer(redis: RedisClient) -> None:
    await registry.set_field(redis, "d", "name", "new")
    old = Registered(device_id="d", name="old", persona="kids", first_seen_ms=5, last_seen_ms=7, blocked=True)
    assert await registry.needs_restore(redis)
    await registry.restore(redis, [(old, "I like tea")])
    assert not await registry.needs_restore(redis)
    found = await registry.read(redis, "d")
    assert (found.name, found.persona, found.blocked) == ("new", "kids", True)
    assert (await memory.read(redis, "d")).text == "I like tea"


async def test_a_memory_that_was_forgotten_while_it_was_written_stays_forgotten(redis: RedisClient) -> None:
    await memory.note_exchange(redis, "d", idle_s=0)
    assert await memory.take_due(redis) == "d"
    assert await memory.take_due(redis) is None
    await memory.forget(redis, "d")
    assert not await memory.write(redis, "d", "I like tea", exchanges=1)
    assert await memory.read(redis, "d") == memory.Memory()


async def test_a_long_dialogue_is_due_before_it_rests(redis: RedisClient) -> None:
    for _ in range(memory.MOST_UNREAD - 1):
        await memory.note_exchange(redis, "d", idle_s=3600)
    assert await memory.take_due(redis) is None
    await memory.note_exchange(redis, "d", idle_s=3600)
    assert await memory.take_due(redis) == "d"
    await memory.note_exchange(redis, "d", idle_s=0)
    assert await memory.write(redis, "d", "x", exchanges=memory.MOST_UNREAD)
    assert (await memory.read(redis, "d")).unread == 1
