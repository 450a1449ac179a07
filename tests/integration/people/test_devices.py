"""Devices as an operator sees them: registered, named, blocked, steered."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from tests.integration.people.tapped_stack import command, listed
from tests.support.device import Device
from tests.support.stack import Front, Stack
from tests.support.waiting import soon

FROM_ELSEWHERE = {"X-Forwarded-For": "203.0.113.7"}
BODY = {"application": {"version": "2.4.0"}, "board": {"type": "bread-compact-wifi"}}


async def ask_ota(front: Front, device_id: str, **headers: str) -> dict[str, Any]:
    """Ask for the address as a device does."""
    wanted = {"Device-Id": device_id, "Client-Id": "a-client", "Accept-Language": "zh-CN", **headers}
    url = f"{front.url}/xiaozhi/ota/"
    async with aiohttp.ClientSession() as session, session.post(url, json=BODY, headers=wanted) as response:
        assert response.status == 200
        answer: dict[str, Any] = await response.json()
        return answer


async def ask_activation(front: Front, device_id: str) -> int:
    """Ask whether the code was typed, as a device does."""
    url = f"{front.url}/xiaozhi/ota/activate"
    headers = {"Device-Id": device_id, "Client-Id": "a-client"}
    async with aiohttp.ClientSession() as session, session.post(url, data=b"{}", headers=headers) as answer:
        return answer.status


async def refusal(front: Front, device_id: str, **headers: str) -> int:
    """Return the status with which an upgrade is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with Device.connected(front.socket_url, device_id=device_id, headers=headers):
            pass
    return refused.value.status


async def registered(tapped_stack: Stack, device_id: str) -> dict[str, Any]:
    """Return a device of the list, once it is there."""

    async def look() -> dict[str, Any] | None:
        return (await listed(tapped_stack)).get(device_id)

    found = await soon(look, what=f"{device_id} is registered")
    assert found is not None
    return found


async def test_a_device_that_connects_is_registered_with_what_it_told_ota(tapped_stack: Stack) -> None:
    await ask_ota(tapped_stack.front, "02:00:00:00:01:01")
    assert "02:00:00:00:01:01" not in await listed(tapped_stack)
    async with tapped_stack.front.device("02:00:00:00:01:01"):
        found = await registered(tapped_stack, "02:00:00:00:01:01")
    assert (found["board"], found["firmware"]) == ("bread-compact-wifi", "2.4.0")
    assert found["accept_language"] == "zh-CN"
    assert 0 < found["first_seen_ms"] <= found["last_seen_ms"]


async def test_a_named_device_is_found_by_its_name_and_by_the_beginning_of_its_id(
    tapped_stack: Stack,
) -> None:
    async with tapped_stack.front.device("02:00:00:00:02:01"):
        await registered(tapped_stack, "02:00:00:00:02:01")
        code, out, _ = await command(tapped_stack, "devices", "name", "02:00:00:00:02:01", "kitchen")
        assert (code, out) == (0, "02:00:00:00:02:01: name kitchen\n")
    for word in ("kitchen", "02:00:00:00:02"):
        code, out, _ = await command(tapped_stack, "devices", "show", word, "--json")
        assert (code, json.loads(out)["device_id"]) == (0, "02:00:00:00:02:01")
    code, _, err = await command(tapped_stack, "devices", "show", "cellar")
    assert code == 1
    assert "no device is called 'cellar'" in err
    assert "(kitchen)" in err


async def test_a_blocked_device_is_cut_off_and_refused_until_it_is_let_in_again(tapped_stack: Stack) -> None:
    name = "02:00:00:00:03:01"
    async with tapped_stack.front.device(name) as device:
        await registered(tapped_stack, name)
        assert (await command(tapped_stack, "devices", "block", name))[1] == f"{name}: blocked, and cut off\n"
        assert await device.is_closed() == 1008
    assert await refusal(tapped_stack.front, name) == 403
    await command(tapped_stack, "devices", "unblock", name)
    async with tapped_stack.front.device(name) as device:
        assert (await device.types("what is two plus two?")).sentences


async def test_a_device_can_be_blocked_before_it_comes(tapped_stack: Stack) -> None:
    assert (await command(tapped_stack, "devices", "block", "02:00:00:00:03:02"))[0] == 0
    assert await refusal(tapped_stack.front, "02:00:00:00:03:02") == 403


async def test_an_alert_and_a_reboot_reach_the_device(tapped_stack: Stack) -> None:
    name = "02:00:00:00:04:01"
    async with tapped_stack.front.device(name) as device:
        await registered(tapped_stack, name)
        words = ("--status", "Door", "--message", "门铃响了", "--emotion", "surprised")
        assert await command(tapped_stack, "devices", "alert", name, *words) == (0, f"{name}: shows it\n", "")
        shown = await device.hears(type="alert")
        assert (shown["status"], shown["message"], shown["emotion"]) == ("Door", "门铃响了", "surprised")
        assert (await command(tapped_stack, "devices", "reboot", name))[1] == f"{name}: restarts\n"
        assert (await device.hears(type="system"))["command"] == "reboot"
    code, out, err = await command(tapped_stack, "devices", "reboot", name)
    assert (code, out) == (1, "")
    assert "it is not connected" in err


async def test_a_device_waits_for_its_code_where_activation_is_on(tapped_stack: Stack) -> None:
    name = "02:00:00:00:05:01"
    async with tapped_stack.another_front(ACTIVATION="on", FRONT_AUTH="off") as front:
        told = (await ask_ota(front, name))["activation"]
        assert len(told["code"]) == 6
        assert told["challenge"]
        assert told["code"] in told["message"]
        assert (await ask_ota(front, name))["activation"]["code"] == told["code"]
        assert await ask_activation(front, name) == 202
        assert await refusal(front, name, **FROM_ELSEWHERE) == 403
        assert (await listed(tapped_stack))[name]["state"] == "waits for its code"
        code, out, _ = await command(tapped_stack, "devices", "activate", told["code"])
        assert (code, out) == (0, f"{name}: activated\n")
        assert await ask_activation(front, name) == 200
        assert "activation" not in await ask_ota(front, name)
        async with front.device(name, **FROM_ELSEWHERE) as device:
            assert (await device.types("what is two plus two?")).sentences
            thief = {**FROM_ELSEWHERE, "Client-Id": "thief"}
            async with Device.connected(front.socket_url, device_id=name, headers=thief) as other:
                await other.hello()
                await other.hears(type="alert")
            assert (await device.types("and three plus three?")).sentences
    code, _, err = await command(tapped_stack, "devices", "activate", told["code"])
    assert code == 1
    assert f"no device shows the code {told['code']!r}" in err
    code, _, err = await command(tapped_stack, "devices", "activate", "cellar")
    assert code == 1
    assert "no device is called 'cellar'" in err
