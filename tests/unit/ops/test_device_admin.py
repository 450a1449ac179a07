"""Actions of an operator on devices: what each writes, what it says, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.personas import Persona
from dispatcher.devices import registry
from dispatcher.devices.registry import Registered
from dispatcher.dialogue_store import memory, phrase_cache
from dispatcher.errors import DispatcherError, StateError, UnknownName
from dispatcher.ops import device_admin
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from tests.support.fleet import catalogue_of

DEVICE = "02:00:00:00:00:01"


@pytest.fixture
async def known(redis: RedisClient) -> RedisClient:
    """A Redis that knows one device."""
    await registry.bind(redis, DEVICE, "mine", greeted=True)
    return redis


async def entry(redis: RedisClient) -> Registered:
    return await registry.read(redis, DEVICE)


async def as_json(redis: RedisClient, word: str = DEVICE) -> Any:
    return json.loads(str(await device_admin.show_device(redis, word, json_wanted=True)))


async def test_a_mark_is_written_and_an_empty_one_goes_by_the_default(known: RedisClient) -> None:
    assert await device_admin.mark(known, DEVICE, "name", "kitchen") == f"{DEVICE}: name kitchen"
    said = await device_admin.mark(known, "kitchen", "language", "")
    assert said == f"{DEVICE} (kitchen): language as by default"
    assert (await entry(known)).name == "kitchen"


async def test_a_blocked_device_is_let_in_again(known: RedisClient) -> None:
    assert await device_admin.block(known, DEVICE) == f"{DEVICE}: blocked"
    assert (await entry(known)).blocked
    assert await device_admin.mark(known, DEVICE, "blocked", "") == f"{DEVICE}: let in again"
    assert not (await entry(known)).blocked


async def test_only_a_persona_of_the_active_catalogue_is_taken(known: RedisClient) -> None:
    with pytest.raises(UnknownName, match="there are none in the YAML in force"):
        await device_admin.set_persona(known, DEVICE, "shop")
    rules = Conversation(personas={"shop": Persona()})
    await instance_table.publish(known, replace(catalogue_of("round_robin", []), conversation=rules))
    with pytest.raises(UnknownName, match="no persona is called 'bar'; there are shop"):
        await device_admin.set_persona(known, DEVICE, "bar")
    await device_admin.set_persona(known, DEVICE, "shop")
    assert (await entry(known)).persona == "shop"
    assert await device_admin.set_persona(known, DEVICE, "default") == f"{DEVICE}: persona as by default"


async def test_a_code_or_all_devices_are_activated(known: RedisClient) -> None:
    other = "02:00:00:00:00:02"
    shown = await registry.record_seen(known, other, wants_code=True)
    assert await device_admin.activate(known, shown.code) == [f"{other}: activated"]
    assert set(await device_admin.activate(known, None)) == {f"{DEVICE}: activated", f"{other}: activated"}
    assert (await entry(known)).activated


async def test_a_client_that_waits_is_admitted_instead_of_the_one_before(known: RedisClient) -> None:
    with pytest.raises(DispatcherError, match="no other client waits"):
        await device_admin.admit(known, DEVICE)
    await registry.bind(known, DEVICE, "erased", greeted=True)
    assert "admitted" in await device_admin.admit(known, DEVICE)
    assert not (await entry(known)).is_other_client("erased")


async def test_what_is_forgotten_is_gone_and_the_device_only_entirely(known: RedisClient) -> None:
    await memory.note_exchange(known, DEVICE, idle_s=60)
    await memory.write(known, DEVICE, "Ada", exchanges=1)
    assert (await as_json(known))["remembered_characters"] == 3
    assert "its dialogue and memory are erased" in await device_admin.forget(known, DEVICE, entirely=False)
    assert (await as_json(known))["remembered_characters"] == 0
    assert "forgotten" in await device_admin.forget(known, DEVICE, entirely=True)
    assert json.loads(str(await device_admin.list_devices(known, json_wanted=True))) == []


async def test_a_device_is_forgotten_though_the_cache_does_not_answer(
    known: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: RedisClient) -> None:
        raise StateError("redis: away")

    monkeypatch.setattr(phrase_cache, "clear", fail)
    with pytest.raises(StateError, match="erased, but phrases that it heard may be kept: redis: away"):
        await device_admin.forget(known, DEVICE, entirely=True)
    assert json.loads(str(await device_admin.list_devices(known, json_wanted=True))) == []


async def test_a_command_to_a_device_that_is_not_connected_says_so(known: RedisClient) -> None:
    with pytest.raises(DispatcherError, match="no front answers; a device connects when it is spoken to"):
        await device_admin.reboot(known, DEVICE)
    with pytest.raises(DispatcherError, match="no front answers"):
        await device_admin.alert(known, DEVICE, message="hello", status="Notice", emotion="happy")
