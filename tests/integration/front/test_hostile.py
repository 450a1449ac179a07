"""Whatever a device sends, its connection stays, and the next turn is answered."""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import pytest

from dispatcher.device_simulator import Version
from dispatcher.messages import OTA_PATH
from tests.support.device import Device
from tests.support.instances import SENTENCES
from tests.support.stack import Stack
from tests.support.waiting import soon

Sent = Mapping[str, Any] | str | bytes
NOISE = random.Random(7).randbytes(200)
START: Mapping[str, Any] = {"type": "listen", "state": "start", "mode": "manual"}
STOP: Mapping[str, Any] = {"type": "listen", "state": "stop"}

TEXTS: dict[str, Sequence[Sent]] = {
    "no JSON": ["{", "", "null", "[1]", '"hello"', "NaN", "{'type': 'listen'}"],
    "deep JSON": ["[" * 50_000, '{"type":' * 10_000],
    "no type": [{}, {"type": None}, {"type": 7}, {"type": ["listen"]}],
    "unknown type": [{"type": "ping"}, {"type": "goodbye"}, {"type": "mcp", "payload": {"jsonrpc": "2.0"}}],
    "wrong types": [
        {"type": "listen"},
        {"type": "listen", "state": 1},
        {"type": "listen", "state": "start", "mode": "telepathy"},
        {"type": "listen", "state": "detect", "text": {"a": 1}},
        {"type": "abort", "reason": []},
        {"type": "hello", "version": "two", "audio_params": "loud"},
    ],
    "empty or blank words": [
        {"type": "listen", "state": "detect"},
        {"type": "listen", "state": "detect", "text": " "},
    ],
    "300 KB of text": [json.dumps({"type": "listen", "state": "detect", "text": "a" * 300_000})],
    "another session id": [{"type": "abort", "session_id": "of somebody else"}],
    "stop without start": [STOP, STOP],
    "garbage for Opus": [START, NOISE, b"\xff" * 1500, b"\0", *[NOISE[at:] for at in range(20)]],
    "garbage in auto mode": [{**START, "mode": "auto"}, NOISE, b"\xff" * 1500, b"\0" * 9000, b"\xfc"],
    "a huge frame": [START, b"\0" * 500_000],
}


@pytest.mark.parametrize("sent", TEXTS.values(), ids=TEXTS.keys())
async def test_a_turn_is_answered_after(stack: Stack, sent: Sequence[Sent]) -> None:
    async with stack.front.device("hostile") as device:
        for each in sent:
            await device.send(each)
        assert (await device.types("still there?")).sentences == SENTENCES


async def test_what_a_device_posts_is_never_inflated(stack: Stack) -> None:
    """A few kilobytes would be megabytes, and a tenth of a second of everybody's front."""
    headers = {"Device-Id": "06:00:00:00:00:0a", "Content-Encoding": "deflate"}
    body = zlib.compress(b'{"application": {"version": "9.9.9"}}')
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stack.front.url}{OTA_PATH}", headers=headers, data=body) as response,
    ):
        told = await response.json()
    assert (told["websocket"]["url"] != "", told["firmware"]["version"] == "9.9.9") == (True, False)


@pytest.mark.parametrize("version", [2, 3])
async def test_a_turn_is_answered_after_broken_headers(stack: Stack, version: Version) -> None:
    header = (
        struct.pack(">HHIII", 2, 0, 0, 0, 4_000_000_000)
        if version == 2
        else struct.pack(">BBH", 0, 0, 60_000)
    )
    json_frame = struct.pack(">HHIII", 2, 1, 0, 0, 1) if version == 2 else struct.pack(">BBH", 1, 0, 1)
    async with Device.connected(stack.front.socket_url) as device:
        await device.hello(version=version)
        await device.send(START)
        for frame in (b"", b"\0", header[:3], header, header + b"short", json_frame + b"{"):
            await device.send(frame)
        assert (await device.says()).sentences == SENTENCES


async def test_json_in_a_binary_frame_is_a_message(stack: Stack) -> None:
    text = json.dumps({"type": "listen", "state": "detect", "text": "hello there"}).encode()
    async with Device.connected(stack.front.socket_url) as device:
        await device.hello(version=3)
        await device.send(struct.pack(">BBH", 1, 0, len(text)) + text)
        assert (await device.answer()).transcript == "hello there"


async def test_frames_and_messages_before_the_hello_are_no_harm(stack: Stack) -> None:
    async with Device.connected(stack.front.socket_url) as device:
        await device.send(NOISE)
        await device.send("no hello")
        await device.hello()
        await device.send({"type": "hello", "version": 3})
        assert (await device.says()).sentences == SENTENCES
    assert sum(each.matches({"type": "hello"}) for each in device.heard) == 1


async def test_a_hello_with_a_wrong_field_is_answered_all_the_same(stack: Stack) -> None:
    async with Device.connected(stack.front.socket_url) as device:
        await device.send({"type": "hello", "audio_params": {"sample_rate": "a lot"}})
        hello = await device.hears(type="hello")
        assert hello["transport"] == "websocket"
        assert (await device.types("hi there")).sentences == SENTENCES


async def test_an_utterance_without_one_packet_of_opus_is_no_utterance(stack: Stack) -> None:
    since_byte = stack.front.printed_bytes()
    async with stack.front.device("noisy") as device:
        await device.send(START)
        await device.send_packets([b"\xff" * 40] * 5)
        await device.send(STOP)
        await device.hears(type="tts", state="stop")
        assert (await device.says()).sentences == SENTENCES
    assert len(stack.front.events("turn finished", since_byte)) == 1


async def test_sound_that_comes_faster_than_speech_keeps_nobody_else_waiting(stack: Stack) -> None:
    since_byte = stack.front.printed_bytes()
    async with stack.front.device("flood") as flood, stack.front.device("neighbour") as neighbour:
        await flood.listen("start", mode="manual")
        await flood.send_packets([b"\xf8\xff\xfe"] * 3000)
        assert (await neighbour.types("still there?")).sentences == SENTENCES
        event = "sound comes much faster than it is spoken, it is read later"
        await soon(lambda: is_logged(stack, event, since_byte), what="the front slows it down")
        async with stack.front.device("flood") as restarted:
            assert (await restarted.types("and now?")).sentences == SENTENCES


async def is_logged(stack: Stack, event: str, since_byte: int) -> bool:
    """Return whether the front has said it."""
    return bool(stack.front.events(event, since_byte))


async def test_a_device_that_sends_without_a_pause_is_read_later_and_nobody_else_waits(stack: Stack) -> None:
    since_byte = stack.front.printed_bytes()
    async with stack.front.device("flood") as flood, stack.front.device("neighbour") as neighbour:
        for _ in range(1000):
            await flood.begins_to_type("and what about this?")
        assert (await neighbour.types("still there?")).sentences == SENTENCES
        assert len(stack.front.events("turn finished", since_byte)) < 900
        assert stack.front.events("too many messages, they are read later", since_byte)
        async with stack.front.device("flood") as restarted:
            assert (await restarted.types("and now?")).sentences == SENTENCES
