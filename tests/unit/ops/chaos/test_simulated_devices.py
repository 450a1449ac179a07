"""Simulated devices of a chaos test, at a front of a few lines."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

import aiohttp
import pytest

from dispatcher.ops.chaos import simulated_devices
from dispatcher.ops.chaos.simulated_devices import SimulatedDevices
from tests.support.waiting import soon
from tests.unit.device_simulator.small_front import SmallFront, serving


@pytest.fixture
async def front() -> AsyncGenerator[SmallFront]:
    async with serving(SmallFront()) as running:
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_devices, "PAUSE_S", (0.0, 0.05))
    monkeypatch.setattr(simulated_devices, "RECONNECT_INTERVAL_S", 0.02)
    monkeypatch.setattr(simulated_devices, "TURN_TIMEOUT_S", 0.3)


async def outcomes(url: str, *, turns: int = 1) -> SimulatedDevices:
    """Let one device type until it had so many turns."""
    devices = SimulatedDevices((url,), 1)

    async def are_over() -> bool:
        return len(devices.turns) >= turns

    async with aiohttp.ClientSession() as session, devices.talking(session):
        await soon(are_over, what="the turns are over")
    return devices


def url_of(front: SmallFront) -> str:
    return f"http://127.0.0.1:{front.port}"


async def test_an_answered_turn_has_its_first_audio(front: SmallFront) -> None:
    began_at_s = time.time()

    devices = await outcomes(url_of(front), turns=2)

    first = devices.turns[0]
    assert (first.device, first.outcome, first.reason) == (0, "answered", "")
    assert first.first_audio_ms is not None
    assert devices.all_answered_since(began_at_s)
    assert not devices.all_answered_since(time.time())


async def test_an_apology_is_told_from_an_answer(front: SmallFront) -> None:
    front.sentences = ("Sorry, I could not answer that. Please try again.",)

    assert (await outcomes(url_of(front))).turns[0].outcome == "apologised"


async def test_a_turn_without_any_sound_is_silent_and_says_why(front: SmallFront) -> None:
    front.silent = True

    turn = (await outcomes(url_of(front))).turns[0]

    assert (turn.outcome, turn.first_audio_ms) == ("silent", None)
    assert "no answer" in turn.reason


async def test_a_device_that_is_never_let_in_is_refused_once(front: SmallFront) -> None:
    front.status = 503
    devices = SimulatedDevices((url_of(front),), 1)
    asked: list[float] = []

    async def has_waited() -> bool:
        asked.append(time.monotonic())
        return asked[-1] - asked[0] > 0.3

    async with aiohttp.ClientSession() as session, devices.talking(session):
        await soon(has_waited, what="several attempts")

    assert [turn.outcome for turn in devices.turns] == ["refused"]
