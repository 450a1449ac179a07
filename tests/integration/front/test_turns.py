"""Whole turns over a real WebSocket, in every form in which a device may speak."""

from __future__ import annotations

import asyncio
from typing import get_args

import aiohttp
import pytest

from dispatcher.audio.opus import OpusDecoder
from dispatcher.device_simulator import Address, DeviceOptions, Version, connect, paced, packets_of
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ
from dispatcher.recordings import recording
from tests.support.device import Answer, Device
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.stack import Stack

FRAME_SAMPLES = REPLY_RATE_HZ * REPLY_FRAME_MS // 1000
STAGE_TIMES = {"asr_ms", "llm_first_token_ms", "llm_first_sentence_ms", "llm_ms", "tts_first_audio_ms"}


def assert_answered_in_opus(answer: Answer) -> None:
    decoder = OpusDecoder(REPLY_RATE_HZ)
    assert answer.sentences == SENTENCES
    assert len(answer.packets) >= 6
    assert {len(decoder.decode(packet)) for packet in answer.packets} == {FRAME_SAMPLES * 2}


async def test_a_spoken_turn_is_answered_in_speech(stack: Stack) -> None:
    async with stack.front.device("speaker") as device:
        answer = await device.says()
    assert answer.transcript == TRANSCRIPT
    assert answer.emotion == "happy"
    assert_answered_in_opus(answer)


async def test_typed_text_is_answered_in_speech(stack: Stack) -> None:
    async with stack.front.device("typist") as device:
        answer = await device.types("现在几点了？")
    assert answer.transcript == "现在几点了？"
    assert_answered_in_opus(answer)


async def test_a_dialogue_stays_with_the_llm_that_read_its_prompt(stack: Stack) -> None:
    async with stack.front.device("stayer") as device:
        for _ in range(4):
            await device.types("现在几点了？")
    turns = [each for each in stack.front.events("turn finished") if each["device"] == "stayer"]
    assert len({each["llm_instance"] for each in turns}) == 1


async def test_a_wake_word_alone_is_no_question(stack: Stack) -> None:
    async with stack.front.device("waker") as device:
        await device.begins_to_type("你好，小智！")
        await device.says()
    assert [each.message["text"] for each in device.heard if each.matches({"type": "stt"})] == [TRANSCRIPT]


@pytest.mark.parametrize("version", get_args(Version))
async def test_every_framing_is_spoken_both_ways(stack: Stack, version: Version) -> None:
    async with Device.connected(stack.front.socket_url) as device:
        await device.hello(version=version)
        assert_answered_in_opus(await device.says())


async def test_the_framing_may_come_by_header_alone(stack: Stack) -> None:
    async with Device.connected(stack.front.socket_url, headers={"Protocol-Version": "3"}) as device:
        device.version = 3
        await device.send({"type": "hello"})
        await device.hears(type="hello")
        assert_answered_in_opus(await device.says())


async def test_a_device_that_asks_for_pcm_hears_pcm(stack: Stack) -> None:
    async with Device.connected(stack.front.socket_url) as device:
        hello = await device.hello(format="pcm")
        answer = await device.says(options=DeviceOptions(audio_format="pcm"))
    assert hello["audio_params"]["format"] == "pcm"
    assert answer.sentences == SENTENCES
    assert {len(packet) for packet in answer.packets} == {FRAME_SAMPLES * 2}


async def test_a_device_may_send_frames_of_20_ms(stack: Stack) -> None:
    async with Device.connected(stack.front.socket_url) as device:
        await device.hello(frame_duration=20)
        assert_answered_in_opus(await device.says(options=DeviceOptions(frame_ms=20)))


async def test_a_stock_device_takes_every_frame_that_it_is_sent(stack: Stack) -> None:
    options = DeviceOptions(device_id="02:00:00:00:00:09", mode="auto")
    speech = paced(packets_of(recording("hello.wav"), options), options.frame_ms)
    async with (
        aiohttp.ClientSession() as session,
        connect(session, Address(url=stack.front.socket_url), options) as device,
    ):
        result = await device.turn(speech)
    assert [sentence.text for sentence in result.sentences] == list(SENTENCES)
    assert result.refused == 0
    assert result.frames == len(result.packets) > 0


async def test_turns_follow_each_other_on_one_connection(stack: Stack) -> None:
    async with stack.front.device("talker") as device:
        for _ in range(3):
            assert_answered_in_opus(await device.says())


async def test_sentences_are_spoken_in_order_however_long_each_takes(stack: Stack) -> None:
    # The first sentence is made by the instance that takes twenty times as long.
    first, second = stack.instances.of("tts")
    async with stack.front.device("listener") as device:
        for slow in (first, second):
            slow.fault("slow", 20)
            assert (await device.types("tell me")).sentences == SENTENCES
            slow.fault("none")


async def test_a_turn_is_told_by_one_log_line_with_the_times_of_its_stages(stack: Stack) -> None:
    since_byte = stack.front.printed_bytes()
    async with stack.front.device("logged") as device:
        answer = await device.says()
    (line,) = stack.front.events("turn finished", since_byte)
    assert line["device"] == "logged"
    assert line["outcome"] == "answered"
    assert (line["sentences"], line["frames"]) == (len(SENTENCES), len(answer.packets))
    assert set(line) >= STAGE_TIMES
    marks = [line[name] for name in ("transcript_ms", "audio_ready_ms", "first_audio_ms", "played_ms")]
    assert marks == sorted(marks)
    assert {line["asr_instance"], line["llm_instance"], line["tts_instance"]} <= {
        f"{service}-{number}" for service in ("asr", "llm", "tts") for number in (1, 2)
    }


async def test_many_devices_are_served_at_once(stack: Stack) -> None:
    async with aiohttp.ClientSession() as session:
        address = Address(url=stack.front.socket_url)
        devices = [DeviceOptions(device_id=f"02:00:00:00:01:{number:02x}") for number in range(12)]
        packets = packets_of(recording("hello.wav"), devices[0])

        async def talk(options: DeviceOptions) -> int:
            async with connect(session, address, options) as device:
                result = await device.turn(paced(packets, 1))
                return len(result.sentences)

        assert await asyncio.gather(*map(talk, devices)) == [len(SENTENCES)] * len(devices)
