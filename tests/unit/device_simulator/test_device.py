"""A device in software against a small front."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import aiohttp
import pytest

from dispatcher.device_simulator import Address, DeviceOptions, TurnEvent, connect
from dispatcher.device_simulator import device as simulated_device
from dispatcher.device_simulator.framing import Version
from dispatcher.device_simulator.options import FrameMs
from dispatcher.errors import FrontError, ProtocolError
from tests.unit.device_simulator.small_front import HELLO, SESSION_ID, Bench, SmallFront, utterance


async def test_a_turn_brings_transcript_emotion_sentences_and_audio(bench: Bench) -> None:
    async with bench.device() as device:
        result = await device.turn(utterance(3))

    assert result.transcript == "what time is it"
    assert result.emotion == "happy"
    assert [sentence.text for sentence in result.sentences] == ["It is noon.", "Bon appetit!"]
    assert result.packets == (b"0", b"1", b"2") * 2
    assert result.transcript_ms is not None
    assert result.first_audio_ms is not None
    assert 0 <= result.transcript_ms <= result.first_audio_ms <= result.end_ms


async def test_a_frame_before_tts_start_is_refused(bench: Bench) -> None:
    async with bench.device() as device:
        result = await device.turn(utterance(1))

    assert (result.refused, result.frames) == (1, 6)


async def test_frames_beyond_the_decode_queue_are_dropped(bench: Bench) -> None:
    async with bench.device(queue_frames=2) as device:
        result = await device.turn(utterance(1))

    # One is played at once and two wait; the front sent six in one go and stopped.
    assert (result.frames, result.dropped, result.unplayed) == (3, 3, 2)
    assert result.packets == (b"0", b"1", b"2")


async def test_a_device_of_a_bench_keeps_no_audio(bench: Bench) -> None:
    async with bench.device(keep_audio=False) as device:
        result = await device.turn(utterance(1))

    assert (result.frames, result.packets) == (6, ())


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_each_framing_works_both_ways(bench: Bench, front: SmallFront, version: Version) -> None:
    async with bench.device(version=version) as device:
        result = await device.turn(utterance(2))

    assert front.packets == [b"packet 0", b"packet 1"]
    assert result.packets[:1] == (b"0",)
    assert front.received[0]["version"] == version


async def test_headers_and_hello_are_those_of_a_stock_device(
    front: SmallFront, session: aiohttp.ClientSession
) -> None:
    options = DeviceOptions(device_id="aa:bb:cc:dd:ee:ff", client_id="c1")
    async with connect(session, Address(url=front.url, token="secret"), options) as device:
        await device.turn(utterance(1))

    assert front.headers["Authorization"] == "Bearer secret"
    assert front.headers["Protocol-Version"] == "1"
    assert front.headers["Device-Id"] == "aa:bb:cc:dd:ee:ff"
    assert front.headers["Client-Id"] == "c1"
    assert front.headers["Host"] == "127.0.0.1"
    assert not {"Origin", "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"} & set(front.headers)
    assert front.received[0]["audio_params"] == {
        "format": "opus",
        "sample_rate": 16000,
        "channels": 1,
        "frame_duration": 60,
    }
    assert [message["session_id"] for message in front.received[1:]] == [SESSION_ID] * 2


@pytest.mark.parametrize(("token", "sent"), [("", None), ("Token abc", "Token abc")])
async def test_an_empty_token_sends_no_header_and_one_with_a_space_is_sent_as_it_is(
    front: SmallFront, session: aiohttp.ClientSession, token: str, sent: str | None
) -> None:
    async with connect(session, Address(url=front.url, token=token), DeviceOptions()):
        pass

    assert front.headers.get("Authorization") == sent


@pytest.mark.parametrize("frame_ms", [20, 60])
async def test_hello_names_the_frames_and_the_format(
    bench: Bench, front: SmallFront, frame_ms: FrameMs
) -> None:
    async with bench.device(frame_ms=frame_ms, audio_format="pcm"):
        pass

    params = front.received[0]["audio_params"]
    assert (params["frame_duration"], params["format"]) == (frame_ms, "pcm")


async def test_manual_says_start_and_stop_for_each_turn(bench: Bench, front: SmallFront) -> None:
    async with bench.device() as device:
        await device.turn(utterance(2))
        await device.turn(utterance(2))

    assert front.states() == ["start", "stop", "start", "stop"]


async def test_auto_says_start_again_after_each_reply_and_never_stop(bench: Bench, front: SmallFront) -> None:
    async with bench.device(mode="auto") as device:
        await device.turn(utterance(20))
        await device.turn(utterance(20))

    assert front.states()[:2] == ["start", "start"]
    assert "stop" not in front.states()


async def test_auto_stops_sending_when_the_reply_begins(bench: Bench, front: SmallFront) -> None:
    async with bench.device(mode="auto") as device:
        await device.turn(slow_utterance(1000))

        assert len(front.packets) < 1000


async def test_realtime_says_start_once(bench: Bench, front: SmallFront) -> None:
    async with bench.device(mode="realtime") as device:
        await device.turn(utterance(6))
        await device.turn(utterance(6))

    assert front.states() == ["start"]


async def test_typed_text_is_sent_as_detect(bench: Bench, front: SmallFront) -> None:
    async with bench.device() as device:
        result = await device.turn_text("几点了")

    assert front.states() == ["detect"]
    assert result.transcript == "几点了"


async def test_abort_ends_the_turn_with_the_fronts_tts_stop(bench: Bench, front: SmallFront) -> None:
    front.silent = True
    spoken = asyncio.Event()
    async with bench.device(on_event=lambda _: spoken.set()) as device:
        turn = asyncio.create_task(device.turn(utterance(1)))
        await spoken.wait()
        await device.abort()
        result = await turn

    assert front.received[-1]["type"] == "abort"
    assert result.first_audio_ms is None


async def test_events_come_in_order_as_they_happen(bench: Bench) -> None:
    events: list[TurnEvent] = []
    async with bench.device(on_event=events.append) as device:
        await device.turn(utterance(1))

    kinds = [event.kind for event in events]
    assert kinds == ["speech_ended", "transcript", "emotion", "sentence", "first_audio", "sentence", "end"]


async def test_the_connection_is_dropped_without_a_close_frame(bench: Bench, front: SmallFront) -> None:
    async with bench.device() as device:
        await device.turn(utterance(1))

    await front.gone.wait()
    assert front.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_no_front_is_one_clear_line(session: aiohttp.ClientSession, unused_tcp_port: int) -> None:
    address = Address(url=f"ws://127.0.0.1:{unused_tcp_port}/xiaozhi/v1/")

    with pytest.raises(FrontError, match=r"cannot reach ws://.*dispatcher up"):
        async with connect(session, address, DeviceOptions()):
            pass


@pytest.mark.parametrize(("status", "reason"), [(401, "token"), (404, "address of a front")])
async def test_a_refused_upgrade_says_why(bench: Bench, front: SmallFront, status: int, reason: str) -> None:
    front.status = status

    with pytest.raises(FrontError, match=reason):
        async with bench.device():
            pass


async def test_a_front_without_a_hello_is_given_up(
    bench: Bench, front: SmallFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.device_simulator.handshake.HELLO_TIMEOUT_S", 0.05)
    front.hello = None

    with pytest.raises(FrontError, match="no hello"):
        async with bench.device():
            pass


@pytest.mark.parametrize("missing", ["transport", "session_id", "audio_params"])
async def test_a_hello_that_would_crash_a_stock_device_is_refused(
    bench: Bench, front: SmallFront, missing: str
) -> None:
    front.hello = {name: value for name, value in HELLO.items() if name != missing}

    with pytest.raises(ProtocolError, match=missing):
        async with bench.device():
            pass


async def test_a_front_that_never_answers_is_given_up(bench: Bench, front: SmallFront) -> None:
    front.silent = True

    async with bench.device() as device:
        with pytest.raises(FrontError, match="no answer"):
            await device.turn(utterance(1), timeout_s=0.05)


async def test_a_connection_that_ends_in_a_turn_is_said_at_once(bench: Bench, front: SmallFront) -> None:
    front.closes = True

    async with bench.device() as device:
        with pytest.raises(FrontError, match="code 1001"):
            await device.turn(utterance(1))
        with pytest.raises(FrontError, match="code 1001"):
            await device.turn(utterance(1))


async def test_ota_gives_address_token_and_framing(bench: Bench, front: SmallFront) -> None:
    address = await bench.discover(language="zh", device_id="aa:bb:cc:dd:ee:ff")

    assert address == Address(url=front.url, token="secret", version=3)
    assert front.ota_headers["Device-Id"] == "aa:bb:cc:dd:ee:ff"
    assert front.ota_headers["Accept-Language"] == "zh-CN"
    assert {"Client-Id", "Activation-Version", "User-Agent"} <= set(front.ota_headers)


async def test_ota_without_a_websocket_is_refused(bench: Bench, front: SmallFront) -> None:
    front.ota_answer = {"firmware": {"version": "1.0"}}

    with pytest.raises(FrontError, match="named no usable WebSocket"):
        await bench.discover()


async def slow_utterance(count: int) -> AsyncGenerator[bytes]:
    async for packet in utterance(count):
        await asyncio.sleep(0.001)
        yield packet


async def test_a_device_that_is_closing_can_be_cancelled() -> None:
    is_closing = asyncio.Event()

    async def close_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            is_closing.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(close_slowly())
    await asyncio.sleep(0)
    caller = asyncio.create_task(simulated_device._cancel(task))
    await is_closing.wait()
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
