"""Auto and realtime listening: nobody says when the utterance is over."""

from __future__ import annotations

from itertools import islice

from dispatcher.device_simulator import DeviceOptions, packets_of
from dispatcher.device_simulator.speech import silence
from tests.support.device import SPEECH
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.stack import Stack

OPTIONS = DeviceOptions()
SPOKEN = packets_of(SPEECH, OPTIONS)
# 700 ms of silence end an utterance; this is 1.2 s of it.
QUIET = list(islice(silence(OPTIONS), 20))


async def test_in_auto_mode_silence_after_speech_ends_the_utterance(stack: Stack) -> None:
    async with stack.front.device("auto") as device:
        for _ in range(2):
            device.new_turn()
            await device.listen("start", mode="auto")
            await device.send_packets([*QUIET, *SPOKEN, *QUIET])
            answer = await device.answer()
            assert (answer.transcript, answer.sentences) == (TRANSCRIPT, SENTENCES)


async def test_in_auto_mode_silence_alone_is_no_utterance(stack: Stack) -> None:
    since_byte = stack.front.printed_bytes()
    async with stack.front.device("quiet") as device:
        await device.listen("start", mode="auto")
        await device.send_packets(QUIET * 5)
        await device.send_packets([*SPOKEN, *QUIET])
        await device.answer()
    assert len(stack.front.events("turn finished", since_byte)) == 1


async def test_what_an_auto_device_sends_before_it_heard_of_the_reply_is_dropped(stack: Stack) -> None:
    since_byte = stack.front.printed_bytes()
    async with stack.front.device("late-mic") as device:
        await device.listen("start", mode="auto")
        await device.send_packets([*SPOKEN, *QUIET, *SPOKEN, *QUIET])
        await device.answer()
        assert (await device.types("and now")).sentences == SENTENCES
    assert len(stack.front.events("turn finished", since_byte)) == 2


async def test_in_realtime_mode_speech_over_the_reply_is_a_barge_in(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("drip", 0.3)
    async with stack.front.device("realtime") as device:
        await device.listen("start", mode="realtime")
        await device.send_packets([*SPOKEN, *QUIET])
        await device.hears_audio()
        await device.send_packets(QUIET)
        assert not any(each.matches({"type": "tts", "state": "stop"}) for each in device.heard)
        device.new_turn()
        stack.instances.revive()
        await device.send_packets(SPOKEN)
        await device.hears(type="tts", state="stop")
        await device.send_packets(QUIET)
        assert (await device.answer()).sentences == SENTENCES
        device.new_turn()
        await device.send_packets([*SPOKEN, *QUIET])
        assert (await device.answer()).sentences == SENTENCES
