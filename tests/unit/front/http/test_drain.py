"""The end of a front: which devices go at once, and which may end what they began."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.front.http import app
from dispatcher.front.http.app import drain
from tests.unit.front.fakes import FakeDevice, FakeFront, fake_front, settle

GOING = (1001, b"server stops")


def front_with(*devices: FakeDevice, drain_s: float = 30) -> FakeFront:
    front = fake_front(drain_s=drain_s)
    front.context.devices.update({str(number): device for number, device in enumerate(devices)})
    return front


async def test_a_front_without_devices_is_drained_at_once() -> None:
    front = front_with()

    async with asyncio.timeout(app.DRAIN_POLL_INTERVAL_S / 2):
        await drain(front.context)

    assert front.context.status.draining


async def test_idle_devices_go_at_once_and_the_others_when_they_have_their_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "DRAIN_POLL_INTERVAL_S", 0)
    idle, busy = FakeDevice(), FakeDevice(awaits_answer=True)
    draining = asyncio.create_task(drain(front_with(idle, busy).context))
    await settle()
    assert (idle.socket.closed_by, busy.socket.closed_by) == (GOING, None)

    busy.awaits_answer = False
    await draining

    assert busy.socket.closed_by == GOING


async def test_a_device_that_never_ends_is_waited_for_no_longer_than_the_limit() -> None:
    busy = FakeDevice(awaits_answer=True)

    await drain(front_with(busy, drain_s=0).context)

    assert busy.socket.closed_by == GOING
