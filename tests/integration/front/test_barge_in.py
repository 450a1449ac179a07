"""The user speaks over the reply: it ends at the device, in the queues and at the instances."""

from __future__ import annotations

import asyncio
import random

import pytest

from dispatcher.messages import Service
from tests.support.device import Device, Heard
from tests.support.instances import SENTENCES
from tests.support.stack import Stack
from tests.support.waiting import soon

STOP = {"type": "tts", "state": "stop"}
# An LLM that drips needs seven seconds for its reply; what ends so much sooner was ended.
DRIP_S = 0.3
AT_ONCE_S = 2.5
LEASE_S = 5.0
SEED = 20_240_607
ABORTS = 30


async def assert_nothing_is_left(stack: Stack, *, within_s: float = AT_ONCE_S) -> None:
    """Wait until no instance works any more and no slot is held."""

    async def at_rest() -> bool:
        return not any(instance.in_flight for instance in stack.instances.all)

    await soon(at_rest, what="no instance works for a turn that is over", within_s=within_s)
    await stack.is_given_back(within_s=within_s)


def frames_after_stop(device: Device) -> list[Heard]:
    """Return the frames that came between a `tts stop` and the next `tts start`."""
    late: list[Heard] = []
    speaking = False
    for each in device.heard:
        if each.message.get("type") == "tts":
            speaking = each.message["state"] != "stop"
        elif each.packet and not speaking:
            late.append(each)
    return late


async def test_an_abort_in_mid_speech_ends_the_reply_everywhere(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("drip", DRIP_S)
    async with stack.front.device("aborter") as device:
        await device.begins_to_say()
        await device.hears_audio()
        # A second one may be there still: one that lost the race for the first sentence is heard out.
        assert any(llm.in_flight for llm in stack.instances.of("llm"))
        await device.abort()
        await device.hears(**STOP)
        await assert_nothing_is_left(stack)
        stack.instances.revive()
        assert (await device.types("again")).sentences == SENTENCES
    assert not frames_after_stop(device)


@pytest.mark.parametrize("service", ["asr", "llm", "tts"])
async def test_an_abort_before_the_first_sound_reaches_the_stage_that_works(
    stack: Stack, service: Service
) -> None:
    for instance in stack.instances.of(service):
        instance.fault("slow", 200)
    async with stack.front.device(f"early-{service}") as device:
        await device.begins_to_say()

        async def works() -> bool:
            return any(instance.in_flight for instance in stack.instances.of(service))

        await soon(works, what=f"the {service} instance works")
        await device.abort()
        await device.hears(**STOP)
        await assert_nothing_is_left(stack)


async def test_an_abort_in_silence_is_answered_with_stop(stack: Stack) -> None:
    async with stack.front.device("idle-aborter") as device:
        await device.abort()
        await device.hears(**STOP)


async def test_a_new_utterance_is_a_barge_in_too(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("drip", DRIP_S)
    async with stack.front.device("interrupter") as device:
        await device.begins_to_say()
        await device.hears_audio()
        stack.instances.revive()
        assert (await device.says()).sentences == SENTENCES
        await assert_nothing_is_left(stack)
    assert not frames_after_stop(device)


async def test_a_device_that_goes_away_ends_its_turn(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("drip", DRIP_S)
    async with stack.front.device("leaver") as device:
        await device.begins_to_say()
        await device.hears_audio()
    await assert_nothing_is_left(stack)


async def test_only_what_was_spoken_before_the_barge_in_is_remembered(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("drip", DRIP_S)
    async with stack.front.device("half-hearer") as device:
        await device.begins_to_type("tell me a story")
        await device.hears_audio()
        await device.abort()
        await device.hears(**STOP)
        stack.instances.revive()
        await device.types("go on")
    (asked,) = stack.instances.asked()
    *before, newest = [message["content"] for message in asked["messages"][1:]]
    assert before == ["tell me a story", SENTENCES[0]]
    assert newest.startswith("go on\n[Current time: ")


async def test_thirty_aborts_at_any_moment_leave_nothing_behind(stack: Stack) -> None:
    dice = random.Random(SEED)
    since_byte = stack.front.printed_bytes()
    async with stack.front.device("nervous") as device:
        for _ in range(ABORTS):
            await device.begins_to_say()
            await asyncio.sleep(dice.uniform(0, 0.5))
            await device.abort()
            await device.hears(**STOP)
        assert (await device.says()).sentences == SENTENCES
        await assert_nothing_is_left(stack, within_s=LEASE_S + AT_ONCE_S)
    assert not frames_after_stop(device)
    lines = stack.front.events("turn finished", since_byte)
    assert len(lines) == len({line["turn"] for line in lines}) == ABORTS + 1
