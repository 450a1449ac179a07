"""A client in the name of a device that is bound to another one hears a phrase, and is let go."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from dispatcher.front.connection import unadmitted_device
from dispatcher.front.connection.connected_device import BLOCKED_CODE
from dispatcher.front.connection.device_profile import UNADMITTED
from dispatcher.front.connection.unadmitted_device import UnadmittedDevice
from tests.unit.front.fakes import DEVICE, FakeFront, FakeSocket, fake_front, kinds, settle

HELLO = {"type": "hello", "version": 1}


def listen(state: str, mode: str = "auto") -> dict[str, Any]:
    return {"type": "listen", "state": state, "mode": mode}


def client(front: FakeFront, *messages: dict[str, Any]) -> tuple[UnadmittedDevice, FakeSocket]:
    socket = FakeSocket([json.dumps(message) for message in messages])
    device = UnadmittedDevice(front.context, socket.response, socket.writer(greeted=False), front.profile())
    return device, socket


async def test_its_hello_is_answered_once_and_shows_the_phrase_with_the_id() -> None:
    front = fake_front()
    device, socket = client(front, HELLO, HELLO)
    await device.serve()
    assert kinds(socket.messages)[:2] == ["hello", "alert"]
    assert kinds(socket.messages).count("hello") == 1
    assert socket.messages[1]["message"] == DEVICE
    assert socket.closed_by == (BLOCKED_CODE, UNADMITTED)


async def test_the_phrase_is_spoken_where_an_answer_is_expected() -> None:
    front = fake_front()
    device, socket = client(front, HELLO, listen("start"))
    await device.serve()
    assert "tts start" in kinds(socket.messages)


async def test_push_to_talk_hears_it_after_the_release_and_only_once() -> None:
    front = fake_front()
    device, socket = client(front, HELLO, listen("start", "manual"))
    await device.serve()
    assert "tts start" not in kinds(socket.messages)
    device, socket = client(front, HELLO, listen("start", "manual"), listen("stop"), listen("stop"))
    await device.serve()
    assert kinds(socket.messages).count("tts start") == 1


async def test_before_its_hello_nothing_is_spoken() -> None:
    device, socket = client(fake_front(), listen("start"))
    await device.serve()
    assert socket.messages == []


async def test_one_that_says_nothing_is_let_go_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unadmitted_device, "UNADMITTED_TIMEOUT_S", 0.01)
    device, socket = client(fake_front())

    async def read() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(device, "_read", read)
    await device.serve()
    await settle()
    assert socket.closed_by == (BLOCKED_CODE, UNADMITTED)
