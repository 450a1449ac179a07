from __future__ import annotations

import asyncio

import aiohttp
import pytest

from dispatcher.bundled.fault_setting import NO_FAULT, Fault, FaultSetting, read_fault
from dispatcher.errors import ConfigError
from tests.unit.bundled.instances import Client, asking, events_of, text_of, timed, utterance, wav_of

CHAT = "/v1/chat/completions"
SPEAK = "/v1/audio/speech"
TRANSCRIBE = "/v1/audio/transcriptions"
QUICK_LLM = {"first_token_s": "0.01", "tokens_per_s": "1000"}
# Long enough for a token that is due at once, short enough for many tests.
MOMENT_S = 0.3


async def received(client: Client) -> str:
    """Return what of a chat stream came within a moment."""
    came = b""
    answer = await client.post(CHAT, json=asking(stream=True))
    try:
        async with asyncio.timeout(MOMENT_S):
            async for part in answer.content.iter_any():
                came += part
    except TimeoutError:
        answer.close()
    return came.decode()


async def switch(client: Client, mode: str, value: float | None = None) -> None:
    answer = await client.post("/faults", json={"mode": mode, "value": value})
    assert answer.status == 200


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("none", NO_FAULT),
        ("hang", Fault(mode="hang")),
        ("hang=3", Fault(mode="hang")),
        ("stall-after=4", Fault(mode="stall-after", value=4)),
        ("drip=1.5s", Fault(mode="drip", value=1.5)),
        ("drip", Fault(mode="drip", value=2)),
        ("slow=0", Fault(mode="slow", value=10)),
        ("flap=5s", Fault(mode="flap", value=5)),
    ],
)
def test_a_fault_is_read_as_it_is_written(written: str, fault: Fault) -> None:
    assert read_fault(written) == fault


@pytest.mark.parametrize("written", ["explode", "slow=", "slow=fast", "hang 3", "drip=-1"])
async def test_a_fault_that_does_not_exist_stops_the_start(written: str) -> None:
    with pytest.raises(ConfigError, match="expected one of none, error"):
        async with timed("llm", fault=written):
            pass


def test_a_flapping_instance_is_well_and_ill_in_turn() -> None:
    times_s = iter([100.0, 100.0, 104.9, 105.0, 109.9, 110.0])
    faults = FaultSetting(Fault(mode="flap", value=5), clock=lambda: next(times_s))
    seen = [faults.current().mode for _ in range(5)]
    assert seen == ["none", "none", "fast-error", "fast-error", "none"]


@pytest.mark.parametrize("mode", ["error", "fast-error"])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_is_a_500(mode: str, *, stream: bool) -> None:
    async with timed("llm", fault=mode, **QUICK_LLM) as client:
        answer = await client.post(CHAT, json=asking(stream=stream))
        assert answer.status == 500
        assert (await answer.json())["error"]["code"] == "fault"


@pytest.mark.parametrize("path", [CHAT, "/health"])
async def test_a_refusing_instance_resets_connections(path: str) -> None:
    async with timed("llm", fault="refuse", **QUICK_LLM) as client:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.post(path, json=asking())


@pytest.mark.parametrize("path", [CHAT, "/health"])
async def test_a_hanging_instance_answers_nothing(path: str) -> None:
    async with timed("llm", fault="hang", **QUICK_LLM) as client:
        with pytest.raises(TimeoutError):
            await client.post(path, json=asking(), timeout=aiohttp.ClientTimeout(total=MOMENT_S))


async def test_keepalive_is_signs_of_life_without_a_result() -> None:
    async with timed("llm", fault="keepalive", **QUICK_LLM) as client:
        assert await received(client) == ": keep-alive\n\n"


async def test_a_stalling_instance_stops_in_mid_stream() -> None:
    async with timed("llm", fault="stall-after=3", text="abcdefghij", **QUICK_LLM) as client:
        events = events_of(await received(client))
    assert text_of(events) == "abcdef"
    assert events[-1] != "[DONE]"


async def test_a_dripping_instance_sends_its_first_token_in_time_and_the_next_late() -> None:
    async with timed("llm", fault="drip=60", text="abcdefghij", **QUICK_LLM) as client:
        assert text_of(events_of(await received(client))) == "ab"


async def test_a_slow_instance_is_late_with_everything() -> None:
    async with timed("llm", fault="slow=10000", **QUICK_LLM) as client:
        with pytest.raises(TimeoutError):
            await client.post(CHAT, json=asking(), timeout=aiohttp.ClientTimeout(total=MOMENT_S))


@pytest.mark.parametrize(("mode", "status"), [("error", 500), ("fast-error", 500), ("none", 200)])
async def test_speech_fails_like_text(mode: str, status: int) -> None:
    async with timed("tts", fault=mode, first_audio_s="0") as client:
        answer = await client.post(SPEAK, json={"input": "Hi", "response_format": "pcm"})
        assert answer.status == status


async def test_speech_that_stalls_has_begun() -> None:
    async with timed("tts", fault="stall-after=2", first_audio_s="0") as client:
        answer = await client.post(SPEAK, json={"input": "x" * 100, "response_format": "pcm"})
        heard = await answer.content.readexactly(2 * 9600)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(MOMENT_S):
                await answer.content.readany()
        answer.close()
    assert len(heard) == 2 * 9600


@pytest.mark.parametrize("mode", ["hang", "keepalive", "stall-after"])
async def test_a_transcript_has_no_stream_so_it_never_comes(mode: str) -> None:
    async with timed("asr", fault=mode, delay_s="0") as client:
        with pytest.raises(TimeoutError):
            await client.post(
                TRANSCRIBE,
                data=utterance(wav_of(bytes(3200))),
                timeout=aiohttp.ClientTimeout(total=MOMENT_S),
            )


@pytest.mark.parametrize("mode", ["hang", "refuse"])
async def test_the_switch_answers_whatever_the_fault_is(mode: str) -> None:
    async with timed("llm", **QUICK_LLM) as client:
        await switch(client, mode)
        assert await (await client.get("/faults")).json() == {"mode": mode, "value": 0}
        await switch(client, "none")
        assert (await client.get("/health")).status == 200


async def test_a_flapping_instance_fails_its_health_check_too() -> None:
    async with timed("llm", **QUICK_LLM) as client:
        await switch(client, "flap", 0.001)
        # A request takes about as long as a phase, so that a few of them meet both.
        statuses = {(await client.get("/health")).status for _ in range(200)}
    assert statuses == {200, 500}


@pytest.mark.parametrize("body", [{"mode": "explode"}, {"mode": "slow", "value": -1}, {}, []])
async def test_a_wrong_fault_changes_nothing(body: object) -> None:
    async with timed("llm", fault="slow=2", **QUICK_LLM) as client:
        assert (await client.post("/faults", json=body)).status == 400
        assert await (await client.get("/faults")).json() == {"mode": "slow", "value": 2}
