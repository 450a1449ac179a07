"""How a device comes in, is replaced, falls asleep, and is let go."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from functools import partial
from typing import Any

import aiohttp
import pytest

from dispatcher.device_simulator import DeviceOptions, discover, packets_of
from dispatcher.messages import OTA_PATH
from tests.support.device import SPEECH, Device
from tests.support.instances import SENTENCES
from tests.support.stack import Front, Stack
from tests.support.waiting import eventually

# What nginx adds: the request is no longer one from this host.
FROM_ELSEWHERE = {"X-Forwarded-For": "203.0.113.7"}
DEVICE_ID = "02:00:00:00:00:77"


async def ask_ota(front: Front, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """Post to OTA as a device does."""
    wanted = {"Device-Id": DEVICE_ID, "Client-Id": "a-client", **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.post(front.url + OTA_PATH, data=body, headers=wanted) as response,
    ):
        return response.status, await response.json()


async def refusal(front: Front, headers: Mapping[str, str]) -> int:
    """Return the status with which an upgrade is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with Device.connected(front.socket_url, device_id=DEVICE_ID, headers=headers):
            pass
    return refused.value.status


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (json.dumps({"application": {"version": "2.4.1"}}).encode(), "2.4.1"),
        (b'{"application": {"version": "2.4', "1.0.0"),
        (b"\xff\xfe\0 no JSON", "1.0.0"),
        (b"", "1.0.0"),
        (b'{"application": [1]}', "1.0.0"),
        (b'{"application": {"version": "v2; rm"}}', "1.0.0"),
        (b"[" * 60_000, "1.0.0"),
    ],
    ids=["as it should be", "cut off", "no text", "empty", "wrong shape", "odd version", "deep"],
)
async def test_ota_tells_a_device_its_address_whatever_the_body(
    stack: Stack, body: bytes, version: str
) -> None:
    status, answer = await ask_ota(stack.front, body)
    assert status == 200
    assert answer["websocket"]["url"] == stack.front.socket_url
    assert answer["websocket"]["token"]
    assert answer["firmware"] == {"version": version, "url": ""}
    assert isinstance(answer["server_time"]["timestamp"], int)
    assert not {"mqtt", "activation"} & answer.keys()


async def test_ota_answers_a_person_with_the_address(stack: Stack) -> None:
    async with aiohttp.ClientSession() as session, session.get(stack.front.url + OTA_PATH) as response:
        assert response.status == 200
        assert stack.front.socket_url in await response.text()


async def test_a_soft_device_finds_the_front_by_ota(stack: Stack) -> None:
    async with aiohttp.ClientSession() as session:
        address = await discover(session, stack.front.url + OTA_PATH, DeviceOptions())
    assert address.url == stack.front.socket_url


async def test_a_device_from_elsewhere_needs_the_token_that_ota_gave_it(stack: Stack) -> None:
    _, answer = await ask_ota(stack.front, b"{}", **FROM_ELSEWHERE)
    token = answer["websocket"]["token"]
    assert await refusal(stack.front, FROM_ELSEWHERE) == 401
    assert await refusal(stack.front, {**FROM_ELSEWHERE, "Authorization": f"Bearer {token}x"}) == 401
    of_another = {**FROM_ELSEWHERE, "Authorization": f"Bearer {token}", "Device-Id": "02:00:00:00:00:78"}
    assert await refusal(stack.front, of_another) == 401
    headers = {**FROM_ELSEWHERE, "Authorization": f"Bearer {token}"}
    async with Device.connected(stack.front.socket_url, device_id=DEVICE_ID, headers=headers) as device:
        await device.hello()
        assert (await device.says()).sentences == SENTENCES
    logged = partial(stack.front.events, "devices refused, no valid token")
    assert await asyncio.to_thread(eventually, logged, what="the log tells of devices without a token")


async def test_a_web_page_in_a_browser_of_this_host_cannot_speak_as_a_device(stack: Stack) -> None:
    page = {"Origin": "https://evil.example"}
    assert await refusal(stack.front, page) == 401
    rebound = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}
    assert await refusal(stack.front, rebound) == 401
    _, answer = await ask_ota(stack.front, b"{}")
    headers = {**page, "Authorization": f"bearer {answer['websocket']['token']}"}
    async with Device.connected(stack.front.socket_url, device_id=DEVICE_ID, headers=headers) as device:
        await device.hello()


async def test_a_web_client_may_bring_its_ids_and_token_in_the_query(stack: Stack) -> None:
    _, answer = await ask_ota(stack.front, b"{}")
    query = f"?device-id={DEVICE_ID}&client-id=a-client&authorization=Bearer%20{answer['websocket']['token']}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(stack.front.socket_url + query, headers=FROM_ELSEWHERE) as socket,
    ):
        await socket.send_json({"type": "hello"})
        assert (await socket.receive_json(timeout=5))["type"] == "hello"


async def test_a_newer_socket_of_a_device_replaces_the_older_one(stack: Stack) -> None:
    async with stack.front.device("twice") as older:
        await older.begins_to_say()
        async with stack.front.device("twice") as newer:
            assert await older.is_closed() == 1000
            assert (await newer.says()).sentences == SENTENCES


async def test_a_ping_is_answered(stack: Stack) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(stack.front.socket_url, autoping=False) as socket,
    ):
        await socket.ping(b"are you there")
        answer = await socket.receive(timeout=5)
        assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"are you there")


async def test_a_device_that_says_nothing_for_long_is_let_go_but_not_in_mid_turn(stack: Stack) -> None:
    async with stack.another_front(IDLE_TIMEOUT_S="0.5") as front, front.device("sleeper") as device:
        for llm in stack.instances.of("llm"):
            llm.fault("slow", 15)
        assert (await device.says()).sentences == SENTENCES
        assert await device.is_closed() == 1000


async def test_more_devices_than_allowed_are_sent_away_with_a_time_to_come_back(stack: Stack) -> None:
    async with stack.another_front(MAX_DEVICES="1") as front, front.device("first"):
        assert await refusal(front, {}) == 503


async def test_a_stop_lets_the_reply_end_and_then_says_goodbye(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("slow", 10)
    async with stack.another_front() as front, front.device("last") as device:
        await device.begins_to_say()
        await device.hears(type="stt")
        front.send_signal(signal.SIGTERM)
        assert (await device.answer()).sentences == SENTENCES
        assert await device.is_closed() == 1001
        assert front.ends() == 0


async def test_a_stop_does_not_wait_for_ever(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("drip", 0.3)
    async with stack.another_front(DRAIN_S="0.3") as front, front.device("chatterer") as device:
        await device.begins_to_say()
        await device.hears_audio()
        front.send_signal(signal.SIGTERM)
        assert await device.is_closed() == 1001
        assert front.ends() == 0


async def test_a_stop_sends_idle_devices_away_at_once_and_those_in_a_turn_after_it(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("slow", 10)
    async with stack.another_front() as front, front.device("idle") as idle, front.device("busy") as busy:
        await busy.begins_to_say()
        await busy.hears(type="stt")
        front.send_signal(signal.SIGTERM)
        assert await idle.is_closed() == 1001
        assert not busy.socket.closed
        assert (await busy.answer()).sentences == SENTENCES
        assert await busy.is_closed() == 1001


async def test_an_utterance_that_a_stop_finds_half_said_is_answered(stack: Stack) -> None:
    async with (
        stack.another_front(DRAIN_S="30") as front,
        front.device("half") as half,
        front.device("idle") as idle,
    ):
        half.new_turn()
        await half.listen("start", mode="manual")
        await asyncio.to_thread(eventually, lambda: stack.busy_devices() == 1, what="the front listens")
        front.send_signal(signal.SIGTERM)
        assert await idle.is_closed() == 1001
        await half.send_packets(packets_of(SPEECH, DeviceOptions()))
        await half.listen("stop")
        assert (await half.answer()).sentences == SENTENCES
        assert await half.is_closed() == 1001
