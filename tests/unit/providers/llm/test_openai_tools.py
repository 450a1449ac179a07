"""Tools in the OpenAI openai: offered, asked for in pieces, and asked for wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message
from dispatcher.errors import InstanceFailed
from dispatcher.providers.llm.openai_tools import CallJoiner, message_body
from dispatcher.tools.model import Progress, Tool, ToolCall
from tests.support.services.openai import DONE, FakeOpenAi, event, says

VOLUME = Tool(name="set_volume", description="Sets it.", parameters={"type": "object", "properties": {}})
LLM = Instance(service="llm", name="llm-1", endpoint="http://127.0.0.1:1/v1")


def piece(index: int | None = 0, *, id: str = "", name: str = "", arguments: Any = "") -> dict[str, Any]:  # noqa: A002
    """Return one entry of a delta's tool_calls; empty fields are left out, as servers do."""
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value}
    given = {"index": index, "id": id or None, "function": function}
    return {key: value for key, value in given.items() if value is not None}


def asks(*pieces: dict[str, Any]) -> bytes:
    """Return the event of a chunk with these tool_calls."""
    return event(choices=[{"index": 0, "delta": {"tool_calls": list(pieces)}, "finish_reason": None}])


def joined(*chunks: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    joiner = CallJoiner(LLM)
    for chunk in chunks:
        joiner.feed(chunk)
    return [(call.id, call.name, call.arguments) for call in joiner.finish()]


async def test_tools_are_offered_and_a_call_comes_whole_after_the_text(openai: FakeOpenAi) -> None:
    openai.streams(
        says("One moment."),
        asks(piece(id="c1", name="set_volume")),
        asks(piece(arguments='{"vol')),
        asks(piece(arguments='ume": 30}')),
        DONE,
    )
    items = [item async for item in openai.chat([VOLUME])]
    assert items == ["One moment.", ToolCall(id="c1", name="set_volume", arguments='{"volume": 30}')]
    (asked,) = openai.asked
    function = {"name": "set_volume", "description": "Sets it.", "parameters": dict(VOLUME.parameters)}
    assert asked.body["tools"] == [{"type": "function", "function": function}]


async def test_a_request_without_tools_does_not_speak_of_them(openai: FakeOpenAi) -> None:
    openai.streams(says("Hi."), DONE)
    assert [item async for item in openai.chat()] == ["Hi."]
    assert "tools" not in openai.asked[0].body


@pytest.mark.parametrize("arguments", ['{"volume": 3', "[30]", '"30"', "volume=30", '{"a": "\\u4'])
async def test_arguments_that_are_no_object_are_told_to_the_model(openai: FakeOpenAi, arguments: str) -> None:
    openai.streams(asks(piece(id="c1", name="set_volume", arguments=arguments)), DONE)

    (call,) = [item async for item in openai.chat([VOLUME])]
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("set_volume", "{}")
    assert call.problem.startswith("not done: the arguments are no JSON object")


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        (None, "{}"),
        ("null", "{}"),
        ("", "{}"),
        ({"x": 1}, '{"x": 1}'),
        ('"{\\"x\\": 1}"', '{"x": 1}'),
    ],
)
def test_arguments_that_are_null_or_no_text_are_read_all_the_same(arguments: Any, read: str) -> None:
    chunk = [{"index": 0, "id": "a", "function": {"name": "one", "arguments": arguments}}]
    assert joined(chunk) == [("a", "one", read)]


def test_pieces_without_number_and_id_go_on_with_the_last_call() -> None:
    chunks = [
        [piece(None, name="one", arguments='{"x":')],
        [piece(None, name="one", arguments="1}")],
        [piece(None, name="one", arguments="{}")],
        [piece(None, name="two", arguments='{"y"')],
        [piece(None, arguments=":2}")],
    ]
    assert [call[1:] for call in joined(*chunks)] == [("one", '{"x":1}'), ("one", "{}"), ("two", '{"y":2}')]


def test_pieces_that_are_mixed_under_number_0_are_told_apart_by_their_ids() -> None:
    chunks = [
        [piece(0, id="a", name="one"), piece(0, id="b", name="two")],
        [piece(0, id="a", arguments='{"x":')],
        [piece(0, id="b", arguments="{}")],
        [piece(0, id="a", arguments="1}")],
    ]
    assert joined(*chunks) == [("a", "one", '{"x":1}'), ("b", "two", "{}")]


def test_calls_that_are_all_number_0_without_ids_are_told_apart_by_what_is_whole() -> None:
    chunks = [
        [piece(0, name="one", arguments='{"x":1}'), piece(0, name="one", arguments='{"x":2}')],
        [piece(0, name="one"), piece(0, name="two")],
    ]
    assert [call[1:] for call in joined(*chunks)] == [("one", '{"x":1}'), ("one", '{"x":2}'), ("two", "{}")]


def test_a_new_id_in_every_piece_makes_no_new_call() -> None:
    chunks = [[piece(0, id="a", name="one", arguments='{"x":')], [piece(0, id="b", arguments="1}")]]
    assert joined(*chunks) == [("a", "one", '{"x":1}')]


async def test_a_call_in_the_old_form_is_made(openai: FakeOpenAi) -> None:
    old = {"name": "set_volume", "arguments": '{"volume"'}
    openai.streams(
        event(choices=[{"delta": {"function_call": old}}]),
        event(choices=[{"delta": {"function_call": {"arguments": ": 30}"}}}]),
        event(choices=[{"delta": {}, "finish_reason": "function_call"}]),
    )
    (call,) = [item async for item in openai.chat([VOLUME])]
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("set_volume", '{"volume": 30}')


async def test_what_gemini_and_deepseek_put_beside_a_call_goes_back_as_it_came(openai: FakeOpenAi) -> None:
    """labring/aiproxy #450, tinyhumansai/openhuman #3548; langbot-app/LangBot #2223: else a 400 follows."""
    signature = {"google": {"thought_signature": "c2lnbmF0dXJl"}}
    openai.streams(
        event(choices=[{"delta": {"reasoning_content": "The user wants "}}]),
        event(choices=[{"delta": {"reasoning_content": "it louder."}}]),
        asks({**piece(id="c1", name="set_volume", arguments="{}"), "extra_content": signature}),
        DONE,
    )
    items = [item async for item in openai.chat([VOLUME])]
    reasoning = "".join(item.reasoning for item in items if isinstance(item, Progress))
    calls = tuple(item for item in items if isinstance(item, ToolCall))

    body = message_body(Message(role="assistant", content="", tool_calls=calls, reasoning=reasoning))

    assert body["reasoning_content"] == "The user wants it louder."
    assert body["tool_calls"][0]["extra_content"] == signature


def test_calls_that_come_mixed_are_told_apart_by_their_number() -> None:
    chunks = [
        [piece(0, id="a", name="one"), piece(1, id="b", name="two")],
        [piece(1, arguments='{"x":')],
        [piece(0, arguments="{}")],
        [piece(1, arguments="1}")],
    ]
    assert joined(*chunks) == [("a", "one", "{}"), ("b", "two", '{"x":1}')]


def test_calls_that_are_all_number_0_are_told_apart_by_their_ids() -> None:
    chunks = [[piece(0, id="a", name="one", arguments="{}")], [piece(0, id="b", name="two")], [piece(0)]]
    assert joined(*chunks) == [("a", "one", "{}"), ("b", "two", "{}")]


def test_a_call_without_number_id_and_text_of_arguments_is_read_all_the_same() -> None:
    ((made_up, name, arguments),) = joined([piece(None, name="one", arguments={"x": 1})])
    assert (name, arguments) == ("one", '{"x": 1}')
    assert made_up


@pytest.mark.parametrize(
    "pieces",
    [
        7,
        ["text"],
        [{"function": "text"}],
        [piece(index, name="many") for index in range(20)],
        [piece(name="long", arguments="x" * 40_000)],
        [piece(arguments="{}")],
    ],
)
def test_calls_of_another_form_are_the_instances_fault(pieces: Any) -> None:
    with pytest.raises(InstanceFailed):
        joined(pieces)


def test_calls_and_results_are_written_as_the_dialect_has_them() -> None:
    call = ToolCall(id="c1", name="set_volume", arguments="{}")
    function = {"name": "set_volume", "arguments": "{}"}
    assert message_body(Message(role="assistant", content="", tool_calls=(call,))) == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    }
    assert message_body(Message(role="tool", content="true", tool_call_id="c1")) == {
        "role": "tool",
        "content": "true",
        "tool_call_id": "c1",
    }


@pytest.mark.parametrize(
    "chunks",
    [
        [
            [piece(id="a", name="f", arguments="{}")],
            [piece(arguments='{"volume"')],
            [piece(arguments=": 20}")],
        ],
        [[piece(id="a", name="f", arguments='{"volume": 20}')]] * 2,
        [[piece(id="a", name=" f ", arguments=' {"volume": 20}\n')]],
        [[{"index": 0, "id": "a", "type": "function", "name": "f", "arguments": '{"volume": 20}'}]],
    ],
    ids=["an empty object first", "the whole call again", "blanks", "no wrapping"],
)
def test_a_call_that_real_servers_send_oddly_is_made_once(chunks: list[list[dict[str, Any]]]) -> None:
    """Proxies before Anthropic's API begin with `{}`; some servers repeat the call at the end."""
    assert joined(*chunks) == [("a", "f", '{"volume": 20}')]


def test_arguments_that_are_blank_are_none() -> None:
    assert joined([piece(id="a", name="f", arguments=" \n")]) == [("a", "f", "{}")]


@pytest.mark.parametrize(
    "name", ["functions.set_volume", "set_volume:0", "default_api.set_volume", "set.volume"]
)
async def test_a_tool_is_called_by_the_name_that_a_model_has_for_it(openai: FakeOpenAi, name: str) -> None:
    """Kimi's and Gemini's own names for what they were offered."""
    openai.streams(asks(piece(id="a", name=name, arguments="{}")), DONE)

    (call,) = [each async for each in openai.chat([VOLUME]) if isinstance(each, ToolCall)]
    assert call.name == "set_volume"


@pytest.mark.parametrize("index", ["9" * 5_000, "7.5"])
def test_a_number_of_a_call_that_is_no_number_counts_as_none(index: Any) -> None:
    assert [name for _, name, _ in joined([piece(index, id="c1", name="mute")])] == ["mute"]


def test_arguments_that_are_too_deep_are_no_object() -> None:
    joiner = CallJoiner(LLM)
    joiner.feed([piece(0, id="c1", name="say", arguments='{"a": ' + "[" * 900 + "]" * 900 + "}")])
    (call,) = joiner.finish()

    assert call.problem.startswith("not done: the arguments are no JSON object")
