"""Whole turns with a tool, against LLM servers that send and want calls as public reports describe them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from tests.support.services.field import DONE, Answer, Body, FieldServer, delta, text_event
from tests.support.stack import Stack
from tests.support.tool_device import device_of

SET: Final = "self_audio_speaker_set_volume"
ARGUMENTS: Final = '{"volume": 20}'
QUIET: Final = Answer(parts=[text_event("It is quiet now."), DONE])


def call(**more: Any) -> dict[str, Any]:
    """Return a whole call of the tool, as a delta carries it."""
    return {
        "index": 0,
        "id": "call-7",
        "type": "function",
        "function": {"name": SET, "arguments": ARGUMENTS},
        **more,
    }


def asked_for(body: Body) -> dict[str, Any] | None:
    """Return the assistant message of the second round; None in the first one."""
    return next(
        (each for each in body["messages"] if each["role"] == "assistant" and "tool_calls" in each), None
    )


def wants_reasoning(body: Body) -> str:
    """DeepSeek v4 (syt2/paper-chat-for-zotero #16, langbot-app/LangBot #2223)."""
    message = asked_for(body)
    if message and message.get("reasoning_content") != "The user wants silence.":
        return "The reasoning_content in the thinking mode must be passed back to the API for tool calls."
    return ""


def wants_signature(body: Body) -> str:
    """Gemini 3 (labring/aiproxy #450, langroid PR #969)."""
    message = asked_for(body)
    if message:
        extra = message["tool_calls"][0].get("extra_content", {})
        if extra.get("google", {}).get("thought_signature") != "c2lnbmVk":
            return "Function call is missing a thought_signature in functionCall parts."
    return ""


def _once(*parts: bytes, refuses: Callable[[Body], str] | None = None) -> Sequence[Answer]:
    second = Answer(parts=QUIET.parts, refuses=refuses)
    return [Answer(parts=parts, refuses=refuses), second]


ROUNDS: Final = {
    "deepseek_wants_its_reasoning_back": _once(
        delta(reasoning_content="The user wants "),
        delta(reasoning_content="silence."),
        delta(tool_calls=[call()]),
        DONE,
        refuses=wants_reasoning,
    ),
    "gemini_wants_its_signature_back": _once(
        delta(tool_calls=[call(extra_content={"google": {"thought_signature": "c2lnbmVk"}})]),
        DONE,
        refuses=wants_signature,
    ),
    "a_call_without_index_and_id": _once(
        delta(tool_calls=[{"type": "function", "function": {"name": SET, "arguments": ARGUMENTS}}]), DONE
    ),
    "arguments_cut_at_every_byte": _once(
        delta(tool_calls=[call(function={"name": SET, "arguments": None})]),
        *(delta(tool_calls=[{"index": 0, "function": {"arguments": letter}}]) for letter in ARGUMENTS),
        DONE,
    ),
    "arguments_as_an_object": _once(
        delta(tool_calls=[call(function={"name": SET, "arguments": json.loads(ARGUMENTS)})]), DONE
    ),
    "a_call_written_as_text_by_qwen": _once(
        *(
            text_event(letter)
            for letter in f'<tool_call>\n{{"name": "{SET}", "arguments": {ARGUMENTS}}}\n</tool_call>'
        ),
        DONE,
    ),
    "a_call_written_as_text_by_deepseek": _once(
        text_event(
            "<\uff5ctool\u2581calls\u2581begin\uff5c><\uff5ctool\u2581call\u2581begin\uff5c>"
            f"function<\uff5ctool\u2581sep\uff5c>{SET}"
        ),
        text_event(
            f"\n```json\n{ARGUMENTS}\n```<\uff5ctool\u2581call\u2581end\uff5c><\uff5ctool\u2581calls\u2581end\uff5c>"
        ),
        DONE,
    ),
    "a_call_written_as_bare_json": _once(text_event(f'{{"name": "{SET}", "arguments": {ARGUMENTS}}}'), DONE),
}


@pytest.mark.parametrize("case", ROUNDS)
async def test_the_tool_is_called_once_and_the_answer_is_spoken(
    field_stack: Stack, field: FieldServer, case: str
) -> None:
    field.script.llm[case] = ROUNDS[case]
    async with device_of(field_stack, f"tool-{case[:40]}") as device:
        answer = await device.types(f"case: {case}")
        assert device.board.volume == 20
        assert len(device.called()) == 1
    assert answer.sentences == ("It is quiet now.",)
    assert len(field.calls_of(case, "field")) == 2
    assert not field.calls_of(case, "standby")


async def test_a_refusal_that_speaks_of_tools_does_not_switch_them_off_for_other_devices(
    field_stack: Stack, field: FieldServer
) -> None:
    field.script.llm["refused"] = _once(
        delta(tool_calls=[call()]), DONE, refuses=lambda body: "a tool is wrong" if asked_for(body) else ""
    )
    field.script.llm["later"] = _once(delta(tool_calls=[call()]), DONE)
    async with device_of(field_stack, "tool-refused") as device:
        await device.types("case: refused")
    async with device_of(field_stack, "tool-later") as device:
        answer = await device.types("case: later")
        assert device.board.volume == 20
    assert answer.sentences == ("It is quiet now.",)
