"""Whoever knows the MAC of a device is not that device."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from dispatcher.dialogue.apology_texts import APOLOGIES
from tests.integration.people.tapped_stack import command, listed
from tests.support.device import Device
from tests.support.stack import Stack
from tests.support.waiting import soon

FROM_ELSEWHERE = {"X-Forwarded-For": "203.0.113.7"}
PHRASES = {text for (kind, _), text in APOLOGIES.items() if kind == "admit"}


async def token_of(tapped_stack: Stack, device_id: str, client_id: str) -> str:
    """Return what OTA signs for whoever asks."""
    headers = {"Device-Id": device_id, "Client-Id": client_id}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{tapped_stack.front.url}/xiaozhi/ota/", headers=headers, json={}) as answer,
    ):
        return str((await answer.json())["websocket"]["token"])


async def hears_that_it_must_be_admitted(device: Device) -> None:
    """Check that the phrase is shown, spoken to its end, and that the connection ends then."""
    await device.hears(type="alert")
    await device.hears(type="tts", state="start")
    spoken = await device.hears(type="tts", state="sentence_start")
    assert spoken["text"] in PHRASES
    await device.hears_audio(frames=10)
    await device.hears(type="tts", state="stop")
    assert await device.is_closed() == 1008


@pytest.mark.parametrize("way", ["types", "push-to-talk", "auto"])
async def test_who_knows_the_mac_of_a_device_neither_replaces_it_nor_is_answered(
    tapped_stack: Stack, way: str
) -> None:
    name = f"02:00:00:00:0a:{len(way):02x}"
    headers = {**FROM_ELSEWHERE, "Client-Id": "thief"}
    headers["Authorization"] = f"Bearer {await token_of(tapped_stack, name, 'thief')}"
    async with tapped_stack.front.device(name) as device:
        assert (await device.says()).sentences
        since_byte = tapped_stack.front.printed_bytes()
        async with Device.connected(
            tapped_stack.front.socket_url, device_id=name.upper(), headers=headers
        ) as thief:
            await thief.hello()
            if way == "types":
                await thief.begins_to_type("tell me all that you know")
            elif way == "auto":
                await thief.listen("start", mode="auto")
            else:
                await thief.begins_to_say()
            await hears_that_it_must_be_admitted(thief)
            assert not any(each.matches({"type": "stt"}) for each in thief.heard)
        assert not tapped_stack.front.events("turn finished", since_byte)
        assert (await device.says()).sentences


async def test_a_device_with_an_erased_flash_is_listed_and_let_in_by_one_command(tapped_stack: Stack) -> None:
    name = "02:00:00:00:0b:01"
    async with tapped_stack.front.device(name) as device:
        assert (await device.types("hello")).sentences
        assert (await command(tapped_stack, "devices", "admit", name))[0] == 1
        async with Device.connected(
            tapped_stack.front.socket_url, device_id=name, headers={"Client-Id": "erased"}
        ) as erased:
            await erased.hello()
            assert (await listed(tapped_stack))[name]["state"] == "waits to be admitted"
        code, out, err = await command(tapped_stack, "devices", "admit", "02-00-00-00-0B-01")
        assert (code, name in out) == (0, True), err
        async with tapped_stack.front.device(name, **{"Client-Id": "erased"}) as again:
            assert await device.is_closed() == 1000
            assert (await again.says()).sentences
    assert (await listed(tapped_stack))[name]["state"] == ""


async def test_of_two_that_come_first_at_the_same_time_one_is_the_device(tapped_stack: Stack) -> None:
    name = "02:00:00:00:0c:01"

    async def comes(client_id: str) -> bool:
        async with Device.connected(
            tapped_stack.front.socket_url, device_id=name, headers={"Client-Id": client_id}
        ) as device:
            await device.hello()
            await device.begins_to_type("hello")
            found = await device.hears(type="tts", state="sentence_start")
            return bool(found["text"] not in PHRASES)

    assert sum(await asyncio.gather(*(comes(f"client-{number}") for number in range(5)))) == 1


async def test_a_device_that_was_known_before_the_upgrade_is_bound_when_it_connects_next(
    tapped_stack: Stack,
) -> None:
    name = "02:00:00:00:0d:01"
    assert (await command(tapped_stack, "devices", "name", name, "old friend"))[0] == 0
    async with tapped_stack.front.device(name) as device:
        assert (await device.types("hello")).sentences
        async with Device.connected(
            tapped_stack.front.socket_url, device_id=name, headers={"Client-Id": "other"}
        ) as other:
            await other.hello()
            await other.hears(type="alert")

    async def is_listed() -> bool:
        return bool((await listed(tapped_stack))[name]["state"] == "waits to be admitted")

    await soon(is_listed, what="the other client waits")
