"""Real engines behind the switch: they work, fail when told to, and work again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestClient, TestServer

from dispatcher.bundled.fault_setting import NO_FAULT, Fault, FaultSetting
from dispatcher.bundled.faulty_engine import FaultyEngine
from dispatcher.bundled.request_errors import RequestError
from dispatcher.bundled.routes import build_app
from dispatcher.bundled.served_engine import ServedEngine
from dispatcher.bundled.timed_engines import TimedAsr, TimedAsrOptions, TimedLlm, TimedLlmOptions
from tests.unit.bundled.instances import Client, Speaker, asking, events_of, text_of, wav_of

CHAT = "/v1/chat/completions"
MOMENT_S = 0.3


@asynccontextmanager
async def speaker(faults: FaultSetting) -> AsyncIterator[Client]:
    """Serve an engine that knows of no faults, behind the switch."""
    served = ServedEngine(service="llm", engine_name="fake")
    served.engine = FaultyEngine(Speaker("one ", "two ", "three ", "four"), faults)
    async with TestClient(TestServer(build_app(served, faults))) as client:
        yield client


async def test_a_real_engine_answers_while_nothing_is_wrong() -> None:
    async with speaker(FaultSetting()) as client:
        answer = await client.post(CHAT, json=asking(stream=True))
        assert text_of(events_of(await answer.text())) == "one two three four"


async def test_a_real_engine_fails_when_it_is_told_to_and_is_well_afterwards() -> None:
    async with speaker(FaultSetting()) as client:
        await client.post("/faults", json={"mode": "fast-error"})
        assert (await client.post(CHAT, json=asking(stream=True))).status == 500
        await client.post("/faults", json={"mode": "none"})
        assert (await client.post(CHAT, json=asking(stream=True))).status == 200


async def test_a_real_engine_stalls_in_the_middle_of_its_answer() -> None:
    async with speaker(FaultSetting(Fault(mode="stall-after", value=2))) as client:
        answer = await client.post(CHAT, json=asking(stream=True))
        assert b"two" in await answer.content.readuntil(b"two")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer.content.readuntil(b"three"), MOMENT_S)
        answer.close()


@pytest.mark.parametrize(
    ("fault", "due_s"),
    [
        (Fault(), [0.02, 0.03, 0.04]),
        (Fault(mode="slow", value=4), [0.08, 0.12, 0.16]),
        (Fault(mode="drip", value=0.05), [0.02, 0.07, 0.12]),
    ],
)
async def test_a_fault_moves_the_times_of_all_pieces(fault: Fault, due_s: list[float]) -> None:
    options = TimedLlmOptions(first_token_s=0.02, tokens_per_s=100, text="abcdef")
    clock = asyncio.get_running_loop().time
    started_s = clock()
    answer = FaultyEngine(TimedLlm(options), FaultSetting(fault)).respond([], language="en")
    came_s = [clock() - started_s async for _ in answer]
    assert all(came >= due - 0.002 for came, due in zip(came_s, due_s, strict=True)), came_s


async def test_an_error_comes_when_the_transcript_would_have() -> None:
    engine = FaultyEngine(TimedAsr(TimedAsrOptions(delay_s=0.02)), FaultSetting(Fault(mode="error")))
    clock = asyncio.get_running_loop().time
    started_s = clock()
    with pytest.raises(RequestError, match="told to fail: error"):
        await engine.transcribe(wav_of(bytes(320)), language="auto", prompt="")
    assert clock() - started_s >= 0.02


def test_a_fault_with_a_time_ends_by_itself() -> None:
    now_s = 100.0
    faults = FaultSetting(clock=lambda: now_s)
    faults.set_fault(Fault(mode="hang"), for_s=10)
    now_s = 109.0
    assert faults.current() == Fault(mode="hang")
    now_s = 110.0
    assert (faults.current(), faults.chosen) == (NO_FAULT, NO_FAULT)
