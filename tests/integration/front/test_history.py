"""What the LLM is asked: the prompt, what was said before, the new words."""

from __future__ import annotations

from typing import Any

from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.stack import SYSTEM_PROMPT, Stack

REPLY = " ".join(SENTENCES)


def asked(stack: Stack) -> list[list[tuple[str, str]]]:
    """Return the messages of each request to an LLM, and forget them."""
    requests: list[dict[str, Any]] = stack.instances.asked()
    stack.instances.forget_asked()
    return [[(each["role"], each["content"]) for each in request["messages"]] for request in requests]


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
