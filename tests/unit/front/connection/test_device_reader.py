"""Frames of a device as messages and sound."""

from __future__ import annotations

import json
import struct

import pytest
from structlog.testing import capture_logs

from dispatcher.front.connection.device_reader import DeviceReader, MistakeLog
from dispatcher.front.connection.protocol import Abort, DeviceMessage, Hello, Listen
from tests.unit.front.fakes import DEVICE, FakeSocket

HELLO = json.dumps({"type": "hello", "version": 1})
ABORT = json.dumps({"type": "abort"})
TYPED = json.dumps({"type": "listen", "state": "detect", "text": "hi"})


async def read_all(
    *frames: str | bytes | None, greeted: bool = True, version: int = 1, in_turn: bool = False
) -> tuple[list[DeviceMessage | bytes], FakeSocket]:
    """Return what is read of a device that sends these frames and disconnects."""
    socket = FakeSocket(list(frames))
    writer = socket.writer(greeted=greeted)
    writer.version = version  # type: ignore[assignment]  # a number of the test's table
    reader = DeviceReader(
        socket.response, writer, MistakeLog(DEVICE), idle_timeout_s=1, is_in_turn=lambda: in_turn
    )
    found = []
    while (message := await reader.read()) is not None:
        found.append(message)
    return found, socket


async def test_messages_and_sound_are_read_in_the_order_in_which_they_came() -> None:
    found, _ = await read_all(TYPED, b"one", b"two", ABORT)

    assert found == [
        Listen(type="listen", state="detect", text="hi"),
        b"one",
        b"two",
        Abort(type="abort"),
    ]


@pytest.mark.parametrize(
    ("version", "header"),
    [(2, struct.pack(">HHIII", 2, 1, 0, 0, len(ABORT))), (3, struct.pack(">BBH", 1, 0, len(ABORT)))],
)
async def test_a_message_in_a_binary_frame_is_read_as_one(version: int, header: bytes) -> None:
    assert (await read_all(header + ABORT.encode(), version=version))[0] == [Abort(type="abort")]


async def test_sound_before_the_hello_is_dropped() -> None:
    assert (await read_all(b"early", HELLO, greeted=False))[0] == [Hello(type="hello", version=1)]


async def test_what_cannot_be_read_is_logged_once_for_each_kind_and_the_connection_goes_on() -> None:
    with capture_logs() as logged:
        found, _ = await read_all("{", '{"no": "type"}', b"\0", b"\0", ABORT, version=3)

    assert found == [Abort(type="abort")]
    assert [line["event"] for line in logged] == ["message dropped", "frame dropped"]


async def test_a_hello_with_a_wrong_field_is_a_hello_until_one_was_answered() -> None:
    wrong = json.dumps({"type": "hello", "audio_params": {"sample_rate": "fast"}})

    assert (await read_all(wrong, greeted=False))[0] == [Hello(type="hello")]
    assert (await read_all(wrong, greeted=True))[0] == []


async def test_an_idle_device_is_disconnected() -> None:
    found, socket = await read_all(ABORT, None, ABORT)

    assert found == [Abort(type="abort")]
    assert socket.closed_by == (1000, b"idle")


async def test_a_device_that_waits_for_its_answer_is_not_idle() -> None:
    found, socket = await read_all(None, None, ABORT, in_turn=True)

    assert found == [Abort(type="abort")]
    assert not socket.closed
