"""The connection of one device, from its hello to its end."""

from __future__ import annotations

import json
from typing import Any

from dispatcher.front.connection.device_connection import DeviceConnection
from dispatcher.redis_client import keys
from tests.unit.front.fakes import DEVICE, FakeFront, FakeSocket, fake_front, kinds, settle

HELLO = {"type": "hello", "version": 1}
TYPED = {"type": "listen", "state": "detect", "text": "how late is it?"}


def connection(front: FakeFront, *messages: dict[str, Any]) -> tuple[DeviceConnection, FakeSocket]:
    """Return a connection on which these messages come."""
    socket = FakeSocket([json.dumps(message) for message in messages])
    writer = socket.writer(greeted=False)
    return DeviceConnection(front.context, socket.response, writer, front.profile()), socket


async def test_only_the_first_hello_is_answered_and_the_device_is_marked_in_the_registry() -> None:
    front = fake_front()
    device, socket = connection(front, HELLO, HELLO)

    await device.serve()
    await settle()

    assert kinds(socket.messages) == ["hello"]
    assert any(DEVICE in script for script in front.redis.scripts)


async def test_a_device_that_disconnects_leaves_neither_itself_nor_its_turn() -> None:
    front = fake_front()
    device, _ = connection(front, HELLO, TYPED)

    await device.serve()

    assert (len(front.context.turns), front.context.turns.begun) == (0, 1)
    assert front.context.devices == {}


async def test_a_newer_connection_replaces_the_older_one() -> None:
    front = fake_front()
    older, socket = connection(front)
    front.context.devices[DEVICE] = older

    await connection(front)[0].serve()

    assert socket.closed_by == (1000, b"replaced by a newer connection")


async def test_a_dialogue_that_begins_anew_forgets_the_one_before() -> None:
    front = fake_front()
    device, socket = connection(front, HELLO, {"type": "new_dialogue"})

    await device.serve()
    await settle()

    assert ("DEL", keys.history(DEVICE)) in front.redis.commands
    assert kinds(socket.messages) == ["hello", "new_dialogue"]


async def test_the_user_who_takes_leave_ends_the_connection() -> None:
    front = fake_front()
    device, socket = connection(front, HELLO)
    await device.serve()

    socket.closed_by = None
    device._after_turn("goodbye")
    await settle()

    assert socket.closed_by == (1000, b"goodbye")


async def test_a_front_that_drains_ends_the_connection_after_the_turn() -> None:
    front = fake_front()
    device, socket = connection(front, HELLO)
    front.context.status.draining = True

    device._after_turn("")
    await settle()

    assert socket.closed_by == (1001, b"server stops")
