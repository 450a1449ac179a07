"""Reasoning and tool calls in the text of a reply, as a provider hands them on."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.providers.untagged_thinking import OPENING_TAG
from dispatcher.tools.model import ChatPiece, Progress, Tool, ToolCall
from tests.unit.providers.dialect import DONE, QUESTION, Dialect, event, says

MUTE = Tool(name="mute", description="", parameters={"type": "object", "properties": {}})
UNTAGGED = [says("Is it noon? "), says("Yes."), says("\n</think>\n\nNoon."), DONE]
WRITTEN = '<tool_call>{"name": "mute", "arguments": {}}</tool_call>'


async def reply(dialect: Dialect, **fields: Any) -> list[ChatPiece]:
    chat = dialect.provider.chat(dialect.instance("llm", **fields), QUESTION, [MUTE])
    return [piece for piece in [piece async for piece in chat] if piece != Progress()]


async def test_each_chunk_of_a_thought_in_the_text_is_a_sign_of_life(dialect: Dialect) -> None:
    dialect.streams(says("<think>"), says("Is it noon?"), says("Yes.</think>"), says("Noon."), DONE)

    assert [piece async for piece in dialect.chat()] == [Progress(), Progress(), "Noon."]


async def test_a_model_that_leaves_out_the_opening_tag_is_learned_from_its_first_reply(
    dialect: Dialect,
) -> None:
    dialect.streams(*UNTAGGED)

    assert await reply(dialect) == ["Is it noon? ", "Yes.", "\n\nNoon."]
    assert OPENING_TAG in dialect.provider._refused.of("llm-1")
    assert await reply(dialect) == ["Noon."]


@pytest.mark.parametrize(
    "model",
    ["deepseek-r1:8b", "QwQ-32B", "Qwen3-4B-Thinking-2507", "DeepSeek-R1-Distill-Qwen-7B", "glm-z1-air"],
)
async def test_thoughts_of_a_model_that_is_known_to_think_are_never_spoken(
    dialect: Dialect, model: str
) -> None:
    dialect.streams(*UNTAGGED)

    assert await reply(dialect, model=model) == ["Noon."]


@pytest.mark.parametrize(
    "fields",
    [{"model": "qwq", "thinking": "off"}, {"model": "qwen3"}, {"model": "no-thinking"}, {"model": None}],
)
async def test_other_models_speak_at_once(dialect: Dialect, fields: dict[str, Any]) -> None:
    dialect.streams(says("It is "), says("noon."), DONE)

    assert await reply(dialect, **fields) == ["It is ", "noon."]


async def test_a_known_model_whose_reasoning_is_left_out_speaks_at_once_from_the_second_reply_on(
    dialect: Dialect,
) -> None:
    dialect.streams(says("It is "), says("noon."), DONE)

    assert await reply(dialect, model="qwq") == ["It is noon."]
    assert await reply(dialect, model="qwq") == ["It is ", "noon."]


async def test_a_known_model_whose_reasoning_has_a_field_of_its_own_speaks_at_once(dialect: Dialect) -> None:
    thought = event(choices=[{"delta": {"reasoning_content": "Hm."}}])
    dialect.streams(thought, thought, says("It is "), says("noon."), DONE)

    assert await reply(dialect, model="qwq") == [*2 * [Progress(reasoning="Hm.")], "It is ", "noon."]


async def test_a_model_that_stops_to_leave_out_the_tag_speaks_at_once_again(dialect: Dialect) -> None:
    dialect.streams(*UNTAGGED)
    await reply(dialect)
    dialect.streams(says("It is "), says("noon."), DONE)

    assert await reply(dialect) == ["It is noon."]
    assert await reply(dialect) == ["It is ", "noon."]


async def test_a_call_that_is_written_as_text_is_a_call(dialect: Dialect) -> None:
    dialect.streams(says("One moment. " + WRITTEN[:20]), says(WRITTEN[20:]), DONE)

    text, call = await reply(dialect)
    assert text == "One moment. "
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("mute", "{}")
    assert len(call.id) == 9


async def test_a_call_that_comes_as_text_and_as_a_call_is_made_once(dialect: Dialect) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "mute", "arguments": "{}"}}
    dialect.streams(says(WRITTEN), event(choices=[{"delta": {"tool_calls": [call]}}]), DONE)

    assert await reply(dialect) == [ToolCall(id="c", name="mute", arguments="{}")]


async def test_a_call_of_no_tool_that_was_offered_is_dropped(dialect: Dialect) -> None:
    dialect.streams(says('{"name": "launch_rocket", "arguments": {}}'), DONE)

    assert await reply(dialect) == []
