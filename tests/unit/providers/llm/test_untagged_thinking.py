"""Reasoning and tool calls in the text of a reply, as a provider hands them on."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.providers.llm.untagged_thinking import OPENING_TAG
from dispatcher.tools.model import ChatPiece, Progress, Tool, ToolCall
from tests.support.services.openai import DONE, QUESTION, FakeOpenAi, event, says

MUTE = Tool(name="mute", description="", parameters={"type": "object", "properties": {}})
UNTAGGED = [says("Is it noon? "), says("Yes."), says("\n</think>\n\nNoon."), DONE]
WRITTEN = '<tool_call>{"name": "mute", "arguments": {}}</tool_call>'


async def reply(openai: FakeOpenAi, **fields: Any) -> list[ChatPiece]:
    chat = openai.llm.chat(openai.instance("llm", **fields), QUESTION, [MUTE])
    return [piece for piece in [piece async for piece in chat] if piece != Progress()]


async def test_each_chunk_of_a_thought_in_the_text_is_a_sign_of_life(openai: FakeOpenAi) -> None:
    openai.streams(says("<think>"), says("Is it noon?"), says("Yes.</think>"), says("Noon."), DONE)

    assert [piece async for piece in openai.chat()] == [Progress(), Progress(), "Noon."]


async def test_a_model_that_leaves_out_the_opening_tag_is_learned_from_its_first_reply(
    openai: FakeOpenAi,
) -> None:
    openai.streams(*UNTAGGED)

    assert await reply(openai) == ["Is it noon? ", "Yes.", "\n\nNoon."]
    assert OPENING_TAG in openai.refused.of("llm-1")
    assert await reply(openai) == ["Noon."]


@pytest.mark.parametrize(
    "model",
    ["deepseek-r1:8b", "QwQ-32B", "Qwen3-4B-Thinking-2507", "DeepSeek-R1-Distill-Qwen-7B", "glm-z1-air"],
)
async def test_thoughts_of_a_model_that_is_known_to_think_are_never_spoken(
    openai: FakeOpenAi, model: str
) -> None:
    openai.streams(*UNTAGGED)

    assert await reply(openai, model=model) == ["Noon."]


@pytest.mark.parametrize(
    "fields",
    [{"model": "qwq", "thinking": "off"}, {"model": "qwen3"}, {"model": "no-thinking"}, {"model": None}],
)
async def test_other_models_speak_at_once(openai: FakeOpenAi, fields: dict[str, Any]) -> None:
    openai.streams(says("It is "), says("noon."), DONE)

    assert await reply(openai, **fields) == ["It is ", "noon."]


async def test_a_known_model_whose_reasoning_is_left_out_speaks_at_once_from_the_second_reply_on(
    openai: FakeOpenAi,
) -> None:
    openai.streams(says("It is "), says("noon."), DONE)

    assert await reply(openai, model="qwq") == ["It is noon."]
    assert await reply(openai, model="qwq") == ["It is ", "noon."]


async def test_a_known_model_with_a_reasoning_field_speaks_at_once(
    openai: FakeOpenAi,
) -> None:
    thought = event(choices=[{"delta": {"reasoning_content": "Hm."}}])
    openai.streams(thought, thought, says("It is "), says("noon."), DONE)

    assert await reply(openai, model="qwq") == [*2 * [Progress(reasoning="Hm.")], "It is ", "noon."]


async def test_a_model_that_stops_to_leave_out_the_tag_speaks_at_once_again(openai: FakeOpenAi) -> None:
    openai.streams(*UNTAGGED)
    await reply(openai)
    openai.streams(says("It is "), says("noon."), DONE)

    assert await reply(openai) == ["It is noon."]
    assert await reply(openai) == ["It is ", "noon."]


async def test_a_call_that_is_written_as_text_is_a_call(openai: FakeOpenAi) -> None:
    openai.streams(says("One moment. " + WRITTEN[:20]), says(WRITTEN[20:]), DONE)

    text, call = await reply(openai)
    assert text == "One moment. "
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("mute", "{}")
    assert len(call.id) == 9


async def test_a_call_that_comes_as_text_and_as_a_call_is_made_once(openai: FakeOpenAi) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "mute", "arguments": "{}"}}
    openai.streams(says(WRITTEN), event(choices=[{"delta": {"tool_calls": [call]}}]), DONE)

    assert await reply(openai) == [ToolCall(id="c", name="mute", arguments="{}")]


async def test_a_call_of_no_tool_that_was_offered_is_dropped(openai: FakeOpenAi) -> None:
    openai.streams(says('{"name": "launch_rocket", "arguments": {}}'), DONE)

    assert await reply(openai) == []
