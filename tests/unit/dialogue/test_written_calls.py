"""Tool calls that models write as text, each in the form of its chat template."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from dispatcher.dialogue.reply_markup import ReplyMarkup
from dispatcher.dialogue.written_calls import WrittenCall, calls_of, offered, read_calls, read_value
from dispatcher.tools.model import Tool

JSON = '{"name": "set_volume", "arguments": {"volume": 20}}'
DEEPSEEK = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>"
DSML = "<｜DSML｜function_calls><｜DSML｜invoke name="
HEADER = "<|channel|>commentary to=functions.set_volume <|constrain|>json<|message|>"
KIMI = "<|tool_calls_section_begin|><|tool_call_begin|>functions.set_volume:0<|tool_call_argument_begin|>"
FORMS = {
    "hermes, qwen": f"<tool_call>\n{JSON}\n</tool_call>",
    "qwen, cut": f"<tool_call>\n{JSON}",
    "qwen coder": (
        "<tool_call>\n<function=set_volume>\n<parameter=volume>\n20\n</parameter>\n</function>\n</tool_call>"
    ),
    "qwen coder, half a tag": (
        "<function=set_volume><parameter=volume>20</parameter></function>\n</tool_call>"
    ),
    "llama 3.1": '<function=set_volume>{"volume": 20}</function>',
    "llama 3.1, python tag": '<|python_tag|>{"name": "set_volume", "parameters": {"volume": 20}}<|eom_id|>',
    "llama 3.2, python tag": "<|python_tag|>set_volume.call(volume=20)<|eom_id|>",
    "llama 4": "[set_volume(volume=20)]",
    "deepseek v3": (
        f'{DEEPSEEK}function<｜tool▁sep｜>set_volume\n```json\n{{"volume": 20}}\n```<｜tool▁call▁end｜>'
        "<｜tool▁calls▁end｜>"
    ),
    "deepseek v3.1": (
        f'{DEEPSEEK}set_volume<｜tool▁sep｜>{{"volume": 20}}<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
    ),
    "deepseek v3.2": (
        f'{DSML}"set_volume">\n<｜DSML｜parameter name="volume" string="false">20</｜DSML｜parameter>\n'
        "</｜DSML｜invoke>\n</｜DSML｜function_calls>"
    ),
    "mistral": f"[TOOL_CALLS] [{JSON}]</s>",
    "mistral, magistral": '[TOOL_CALLS]set_volume[ARGS]{"volume": 20}',
    "mistral with ids": '[TOOL_CALLS]set_volume[CALL_ID]a1[ARGS]{"volume": 20}',
    "glm 4.5": "<tool_call>set_volume\n<arg_key>volume</arg_key>\n<arg_value>20</arg_value>\n</tool_call>",
    "kimi k2": f'{KIMI}{{"volume": 20}}<|tool_call_end|><|tool_calls_section_end|>',
    "minimax": (
        '<minimax:tool_call>\n<invoke name="set_volume">\n<parameter name="volume">20</parameter>\n'
        "</invoke>\n</minimax:tool_call>"
    ),
    "command r": (
        '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "set_volume", "parameters": {"volume": 20}}]'
        "<|END_ACTION|>"
    ),
    "gpt-oss": f'{HEADER}{{"volume": 20}}<|call|>',
    "gpt-oss, before the channel": (
        '<|start|>assistant to=functions.set_volume<|channel|>commentary json<|message|>{"volume": 20}'
    ),
    "phi 4": f"<|tool_call|>[{JSON}]<|/tool_call|>",
    "gemma": "```tool_code\nprint(default_api.set_volume(volume=20))\n```",
    "deepseek, other signs": (
        "<|tool_calls_begin|><|tool_call_begin|>function<|tool_sep|>set_volume\n"
        '{"volume": 20}<|tool_call_end|>'
    ),
    "gpt-oss, in the analysis": (
        '<|channel|>analysis to=functions.set_volume code<|message|>{"volume": 20}<|call|>'
    ),
    "lm studio": f"[TOOL_REQUEST]{JSON}[END_TOOL_REQUEST]",
    "a name in the tag": '<tool_call name="set_volume">{"volume": 20}</tool_call>',
    "langchain": '{"action": "set_volume", "action_input": {"volume": 20}}',
    "bare json": JSON,
    "bare json, a list": f"[{JSON}]",
    "bare json, python": "{'name': 'set_volume', 'parameters': {'volume': 20}}",
    "bare json, nested": f'{{"tool_calls": [{{"type": "function", "function": {JSON}}}]}}',
    "bare json, arguments as text": '{"name": "set_volume", "arguments": "{\\"volume\\": 20}"}',
    "fenced json": f"```json\n{JSON}\n```",
    "fenced without a name": f"```\n{JSON}\n```",
    "fenced tags": f"```xml\n<tool_call>{JSON}</tool_call>\n```",
}
TOOL = Tool(
    name="set_volume",
    description="",
    parameters={
        "type": "object",
        "properties": {"volume": {"type": "integer"}, "room": {"type": "string"}},
    },
)


@pytest.mark.parametrize("slice_size", [1, 3, 1000])
@pytest.mark.parametrize("form", FORMS)
def test_a_call_that_is_written_as_text_is_not_spoken_but_found(form: str, slice_size: int) -> None:
    reply, text, said = ReplyMarkup(), FORMS[form], ""
    for at in range(0, len(text), slice_size):
        said += reply.feed(text[at : at + slice_size])
    said += reply.finish()

    assert said.strip() == ""
    assert offered(reply.calls, [TOOL]) == [("set_volume", '{"volume": 20}')]


@pytest.mark.parametrize(
    "text", ["", "hello", "<function=f>[1]</function>", "f(1)", "f(x=y)", "f(x", "{]" * 30]
)
def test_a_block_that_holds_no_call_has_none(text: str) -> None:
    assert read_calls(text) == []


@pytest.mark.parametrize("text", ['{"name": "a"}, {"name": "b", "arguments": {"x": 1}}', "a(), 7, b(x=1)"])
def test_several_calls_are_all_found(text: str) -> None:
    assert [call.name for call in read_calls(text)] == ["a", "b"]


@pytest.mark.parametrize(
    "value", [7, "text", None, {"name": "Ada"}, {"name": "Ada", "input": 7}, {"arguments": {}}, [[], {}]]
)
def test_data_that_is_no_call_is_none(value: Any) -> None:
    assert calls_of(value) == []


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "{[]: 1}", "(" * 100_000])
def test_a_text_that_is_no_value_is_none(text: str) -> None:
    assert read_value(text) is None


def test_a_call_is_made_once_and_by_the_name_that_was_offered() -> None:
    twice = [WrittenCall(name="set.volume", arguments={})] * 2
    unknown = WrittenCall(name="launch_rocket", arguments={})

    assert offered([*twice, unknown], [TOOL]) == [("set_volume", "{}")]


def test_arguments_of_xml_are_read_as_the_tool_takes_them() -> None:
    written = {"volume": "20", "room": "7", "other": "loud"}
    call = WrittenCall(name="set_volume", arguments=written, is_typed=False)

    assert offered([call], [TOOL]) == [("set_volume", '{"volume": 20, "room": "7", "other": "loud"}')]


def test_a_call_with_broken_arguments_is_dropped() -> None:
    reply = ReplyMarkup()

    assert reply.feed('<tool_call>{"name": "set_volume", "argum</tool_call>Done.') == "Done."
    assert reply.calls == []


@pytest.mark.parametrize("value", ["{'a': " + "[" * 90 + "]" * 90 + "}", "(1, 2)"])
def test_a_value_in_the_form_of_python_is_as_json_has_it(value: str) -> None:
    found = read_value(value)

    assert found == json.loads(json.dumps(ast.literal_eval(value)))


@pytest.mark.parametrize("depth", [110, 900])
def test_a_call_that_is_too_deep_is_none(depth: int) -> None:
    deep = "[" * depth + "]" * depth

    assert read_calls(f'{{"name": "set_volume", "arguments": {{"a": {deep}}}}}') == []
    assert read_calls(f"set_volume(a={deep})") == []
    assert read_value(f"{{'a': {deep}}}") is None


def test_half_a_sign_in_a_call_is_replaced() -> None:
    (call,) = read_calls(r'{"name": "say", "arguments": {"text": "\ud83d"}}')
    (python,) = read_calls(r"say(text='\ud83d')")

    assert (call.arguments, python.arguments) == ({"text": "\ufffd"}, {"text": "\ufffd"})
