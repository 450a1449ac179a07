"""The processes that measure: device_load and floor."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp import web

from dispatcher.errors import ConfigError, StartError
from dispatcher.ops.bench import baseline, device_load, device_speech
from dispatcher.ops.bench.baseline import BaselinePlan
from dispatcher.ops.bench.device_bench import BASELINE, DEVICE_LOAD, parse_counts, turns_of
from dispatcher.ops.bench.device_load import DeviceLoadPlan
from dispatcher.ops.bench.measuring_process import measure
from dispatcher.ops.bench.samples import Samples
from tests.unit.device_simulator.small_front import SmallFront, serving


@pytest.fixture
async def front() -> AsyncGenerator[SmallFront]:
    async with serving(SmallFront()) as running:
        yield running


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speech of two frames, and no pauses."""
    monkeypatch.setattr(device_speech, "SPEECH_S", 0.12)
    monkeypatch.setattr(device_load, "PAUSE_S", (0.0, 0.0))
    monkeypatch.setattr(device_load, "TURN_TIMEOUT_S", 0.2)
    monkeypatch.setattr(baseline, "PAUSE_S", 0.0)


def plan_for(front: SmallFront, *, devices: int = 3, turns: int = 2) -> DeviceLoadPlan:
    return DeviceLoadPlan(url=front.url, devices=devices, turns=turns, ramp_s=0.0)


async def test_every_device_speaks_a_warming_turn_and_the_measured_ones(front: SmallFront) -> None:
    heard = await device_load.run(plan_for(front))

    assert len(front.packets) == 3 * 3 * 2
    assert (heard.all_turns, len(heard.turns), heard.lost) == (9, 6, ())
    assert {turn.frames for turn in heard.turns} == {6}


async def test_a_turn_without_an_answer_is_lost_and_the_device_goes_on(front: SmallFront) -> None:
    front.silent = True

    heard = await device_load.run(plan_for(front, devices=1, turns=2))

    assert (heard.all_turns, heard.turns) == (3, ())
    assert all("no answer" in reason for reason in heard.lost)


async def test_an_apology_is_no_answer(front: SmallFront) -> None:
    front.sentences = ("Sorry, I could not answer that. Please try again.",)

    heard = await device_load.run(plan_for(front, devices=1, turns=1))

    assert heard.lost == ("answered with an apology",) * 2


async def test_a_measuring_process_reports_each_turn_and_its_result(unused_tcp_port: int) -> None:
    told: list[None] = []
    plan = DeviceLoadPlan(url=f"ws://127.0.0.1:{unused_tcp_port}/", devices=2, turns=1)

    heard = Samples.from_json(
        await measure(DEVICE_LOAD, plan, timeout_s=60, on_turn=lambda: told.append(None))
    )

    assert len(told) == 4
    assert len(heard.lost) == 4
    assert "cannot reach" in heard.lost[0]


async def test_a_measuring_process_without_a_result_is_one_clear_line(unused_tcp_port: int) -> None:
    plan = DeviceLoadPlan(url=f"ws://127.0.0.1:{unused_tcp_port}/", devices=1, turns=1)

    with pytest.raises(StartError, match=r"no_such_module ended with code 1"):
        await measure("no_such_module", plan, timeout_s=60, on_turn=lambda: None)


async def test_a_measuring_process_that_takes_too_long_is_stopped(front: SmallFront) -> None:
    front.silent = True

    with pytest.raises(StartError, match="not done after"):
        await measure(DEVICE_LOAD, plan_for(front), timeout_s=0.5, on_turn=lambda: None)


async def answer_transcription(_: web.Request) -> web.Response:
    return web.json_response({"text": "what time is it"})


async def answer_chat(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for piece in ("It is ", "noon. ", "Enjoy your meal, and ask me again."):
        chunk = {"choices": [{"delta": {"content": piece}}]}
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


async def answer_speech(_: web.Request) -> web.Response:
    return web.Response(body=bytes(24_000 * 2 // 2), content_type="audio/pcm")


@pytest.fixture
async def instance_catalogue(tmp_path: Path) -> AsyncGenerator[Path]:
    """A catalogue whose one small server is every service: half a second of silence a sentence."""
    app = web.Application()
    app.router.add_post("/v1/audio/transcriptions", answer_transcription)
    app.router.add_post("/v1/chat/completions", answer_chat)
    app.router.add_post("/v1/audio/speech", answer_speech)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    services = {
        f"{service}_services": {"instances": [{"endpoint": f"{endpoint}/v1"}]}
        for service in ("asr", "llm", "tts")
    }
    path = tmp_path / "bench.yaml"
    path.write_text(json.dumps({"load_balancing": {"api_gateway": services}}))
    yield path
    await runner.cleanup()


async def test_the_floor_makes_all_calls_of_a_turn(instance_catalogue: Path) -> None:
    plan = BaselinePlan(config=str(instance_catalogue), turns=2)

    heard = Samples.from_json(await measure(BASELINE, plan, timeout_s=60, on_turn=lambda: None))

    assert (heard.all_turns, len(heard.turns), heard.lost) == (3, 2, ())
    for turn in heard.turns:
        assert 0 < turn.transcript_ms < turn.first_audio_ms < turn.end_ms
        # Two sentences of half a second, each filled up to whole frames.
        assert turn.frames == 2 * 9
        assert turn.end_ms >= turn.first_audio_ms + 900


@pytest.fixture
def broken_catalogue(instance_catalogue: Path) -> Path:
    """The same, but the LLM's address is wrong."""
    content = json.loads(instance_catalogue.read_text())
    content["load_balancing"]["api_gateway"]["llm_services"]["instances"][0]["endpoint"] += "/nothing"
    instance_catalogue.write_text(json.dumps(content))
    return instance_catalogue


async def test_a_call_that_fails_is_a_lost_turn_of_the_floor(broken_catalogue: Path) -> None:
    heard = await baseline.run(BaselinePlan(config=str(broken_catalogue), turns=1))

    assert heard.turns == ()
    assert len(heard.lost) == 2
    assert "404" in heard.lost[0]


@pytest.mark.parametrize(("text", "counts"), [("1,10", (1, 10)), (" 25 , 1,25,", (1, 25))])
def test_numbers_of_devices_are_each_run_once_and_in_order(text: str, counts: tuple[int, ...]) -> None:
    assert parse_counts(text) == counts


@pytest.mark.parametrize("text", ["", "0", "-1", "ten", "1;10", "1.5"])
def test_anything_but_whole_numbers_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="whole numbers above 0"):
        parse_counts(text)


@pytest.mark.parametrize(("devices", "turns"), [(1, 9), (2, 5), (3, 3), (100, 3)])
def test_a_few_devices_speak_more_often(devices: int, turns: int) -> None:
    assert turns_of(devices, 3) == turns
