"""What the LLM is asked: the prompt, what was said before, the new words."""

from __future__ import annotations

import re
from typing import Any

from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.stack import SYSTEM_PROMPT, Stack

REPLY = " ".join(SENTENCES)


def asked(stack: Stack) -> list[list[tuple[str, str]]]:
    """Return the messages of each request to an LLM, and forget them."""
    requests: list[dict[str, Any]] = stack.instances.asked()
    stack.instances.forget_asked()
    return [
        [(each["role"], without_time(each["content"])) for each in request["messages"]]
        for request in requests
    ]


def without_time(content: str) -> str:
    """Return what was said; the local time stands behind it."""
    return re.sub(r"\n\[(?:Current time: |当前时间：).*\]$", "", content)


async def test_the_second_turn_tells_the_llm_of_the_first(stack: Stack) -> None:
    async with stack.front.device("rememberer") as device:
        await device.says()
        assert asked(stack) == [[("system", SYSTEM_PROMPT), ("user", TRANSCRIPT)]]
        await device.types("and after that?")
    assert asked(stack) == [
        [
            ("system", SYSTEM_PROMPT),
            ("user", TRANSCRIPT),
            ("assistant", REPLY),
            ("user", "and after that?"),
        ]
    ]


async def test_a_dialogue_goes_on_after_a_reconnect_and_is_the_devices_own(stack: Stack) -> None:
    async with stack.front.device("returning") as device:
        await device.types("my name is Ada")
    asked(stack)
    async with stack.front.device("returning") as device:
        await device.types("who am I?")
    async with stack.front.device("stranger") as device:
        await device.types("who am I?")
    (to_returning, to_stranger) = asked(stack)
    assert ("user", "my name is Ada") in to_returning
    assert to_stranger == [("system", SYSTEM_PROMPT), ("user", "who am I?")]


async def test_a_new_dialogue_begins_without_what_was_said_before_and_spares_other_devices(
    stack: Stack,
) -> None:
    async with stack.front.device("fresh") as device, stack.front.device("bystander") as other:
        await device.types("my name is Ada")
        await other.types("my name is Bob")
        await device.send({"type": "new_dialogue"})
        await device.hears(type="new_dialogue")
        asked(stack)
        await device.types("who am I?")
        await other.types("who am I?")
    (to_device, to_other) = asked(stack)
    assert to_device == [("system", SYSTEM_PROMPT), ("user", "who am I?")]
    assert ("user", "my name is Bob") in to_other


async def test_a_new_dialogue_ends_the_turn_under_way_and_forgets_it_too(stack: Stack) -> None:
    async with stack.front.device("impatient") as device:
        await device.begins_to_type("tell me a story")
        await device.hears(type="tts", state="sentence_start")
        await device.hears_audio()
        await device.send({"type": "new_dialogue"})
        await device.hears(type="tts", state="stop")
        await device.hears(type="new_dialogue")
        asked(stack)
        await device.types("who am I?")
    (to_device,) = asked(stack)
    assert to_device == [("system", SYSTEM_PROMPT), ("user", "who am I?")]
