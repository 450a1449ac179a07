"""Real engines behind the switch: they work, fail when told to, and work again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestClient, TestServer

from dispatcher.bundled.engines import Engine
from dispatcher.bundled.failing import behind_switch
from dispatcher.bundled.routes import build_app
from dispatcher.bundled.running import Running
from dispatcher.bundled.timed.faults import NO_FAULT, Fault, Faults
from tests.unit.bundled.instances import Client, Speaker, asking, events_of, text_of

CHAT = "/v1/chat/completions"
MOMENT_S = 0.3


@asynccontextmanager
async def speaker(faults: Faults) -> AsyncIterator[Client]:
    """Serve an engine that knows of no faults, behind the switch."""
    running: Running[Engine] = Running(service="llm", engine_name="fake")
    running.engine = behind_switch("llm", Speaker("one ", "two ", "three ", "four"), faults)
    async with TestClient(TestServer(build_app(running, faults))) as client:
        yield client


async def test_a_real_engine_answers_while_nothing_is_wrong() -> None:
    async with speaker(Faults()) as client:
        answer = await client.post(CHAT, json=asking(stream=True))
        assert text_of(events_of(await answer.text())) == "one two three four"


async def test_a_real_engine_fails_when_it_is_told_to_and_is_well_afterwards() -> None:
    async with speaker(Faults()) as client:
        await client.post("/faults", json={"mode": "fast-error"})
        assert (await client.post(CHAT, json=asking(stream=True))).status == 500
        await client.post("/faults", json={"mode": "none"})
        assert (await client.post(CHAT, json=asking(stream=True))).status == 200


async def test_a_real_engine_stalls_in_the_middle_of_its_answer() -> None:
    async with speaker(Faults(Fault(mode="stall-after", value=2))) as client:
        answer = await client.post(CHAT, json=asking(stream=True))
        assert b"two" in await answer.content.readuntil(b"two")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer.content.readuntil(b"three"), MOMENT_S)
        answer.close()


def test_a_fault_with_a_time_ends_by_itself() -> None:
    now_s = 100.0
    faults = Faults(clock=lambda: now_s)
    faults.set(Fault(mode="hang"), for_s=10)
    now_s = 109.0
    assert faults.current() == Fault(mode="hang")
    now_s = 110.0
    assert (faults.current(), faults.chosen) == (NO_FAULT, NO_FAULT)
