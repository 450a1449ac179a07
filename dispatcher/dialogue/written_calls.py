"""Tool calls that a model writes as text, in the forms of the chat templates in use.

Sources: Hermes and Qwen (JSON in tags), Qwen3-Coder and MiniMax (XML), GLM-4.5 (`arg_key`), Llama 3 and 4,
DeepSeek, Mistral, Kimi K2, Command R, gpt-oss; jekalmin/extended_openai_conversation #434.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.bounded_json import read_json
from dispatcher.tools.model import Tool
from dispatcher.tools.tool_names import llm_name
from dispatcher.tools.tool_schema import types_of

_NAMES: Final = ("name", "tool_name", "tool", "function", "action")
_ARGUMENTS: Final = ("arguments", "parameters", "args", "input", "tool_input", "action_input")
_NESTED: Final = ("function", "function_call", "tool_call", "tool_calls")
_DSML: Final = "｜DSML｜"
_XML_CALL: Final = re.compile(
    r"<(?:function\s*=\s*|(?:function|invoke|tool_call)\s+name\s*=\s*)[\"']?([\w.:-]+)[\"']?\s*>"
    r"(.*?)(?:</(?:function|invoke|tool_call)\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_XML_PARAMETER: Final = re.compile(
    r"<parameter(?:\s*=\s*|\s+name\s*=\s*)[\"']?([\w.-]+)[\"']?[^<>]*>(.*?)(?:</parameter\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_GLM_CALL: Final = re.compile(r"(?:\A|>)\s*([\w.:-]+)\s*(?=<arg_key>)")
_GLM_ARGUMENT: Final = re.compile(
    r"<arg_key>\s*([\w.-]+)\s*</arg_key>\s*<arg_value>(.*?)(?:</arg_value>|\Z)", re.DOTALL
)
# A name, signs that divide, JSON: DeepSeek, Mistral, Kimi, harmony, and a name alone before its arguments.
_NAMED: Final = re.compile(
    r"(?:\bto=|<[|｜]tool[▁_ ](?:sep|call[▁_ ]begin)[|｜]>|\[TOOL_CALLS\]|\A)\s*"
    r"([a-z_][\w.:-]{0,100})"
    r"(?:<[|｜][^<>{}\s]{1,40}[|｜]>|\[ARGS\]|\[CALL_ID\]\w+|```\w*|json\b|code\b|commentary\b|\s)*(?=\{)",
    re.IGNORECASE,
)
_PYTHON_CALL: Final = re.compile(r"(?<![\w.])[a-z_][\w.]*\(", re.IGNORECASE)
# How Kimi counts its calls, and where harmony and Gemini keep their functions.
_NAME_TRIM: Final = re.compile(r"^(?:functions|default_api)\.|\.call$|:\d+$")
_BRACKET: Final = re.compile(r"[\[{]")
# Brackets that are tried; more calls than a turn makes, and a bound on what a broken text costs.
_MAX_BRACKETS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCall:
    """Tool call as the text has it, unchecked.

    Attributes:
        is_typed: the arguments have types; in XML all of them are text.
    """

    name: str
    arguments: Mapping[str, Any]
    is_typed: bool = True


class JsonEnd:
    """Finds where a JSON value ends that comes in pieces; each character is looked at once."""

    def __init__(self) -> None:
        """Begin before the opening bracket."""
        self._at = 0
        self._depth = 0
        self._quote = ""
        self._is_escaped = False

    def find(self, text: str) -> int:
        """Return where the value ends in the text so far, or 0."""
        for at in range(self._at, len(text)):
            sign = text[at]
            if self._quote:
                is_end = sign == self._quote and not self._is_escaped
                self._is_escaped = sign == "\\" and not self._is_escaped
                self._quote = "" if is_end else self._quote
            elif sign in "\"'":
                self._quote = sign
            else:
                self._depth += (sign in "[{") - (sign in "]}")
                if not self._depth and sign in "]}":
                    return at + 1
        self._at = len(text)
        return 0


def read_calls(text: str) -> list[WrittenCall]:
    """Return the calls in a block that a model marked as such."""
    plain = text.replace(_DSML, "")
    for read in (_xml_calls, _glm_calls, _named_calls, _json_calls, _python_calls):
        if calls := list(read(plain)):
            return calls
    return []


def calls_of(value: Any, *, needs_arguments: bool = True) -> list[WrittenCall]:
    """Return the calls that a JSON value stands for, none where it is something else.

    Args:
        value: of any shape.
        needs_arguments: an object with a name alone is no call; outside of a block that says so, it is data.
    """
    if isinstance(value, list):
        return [call for each in value for call in calls_of(each, needs_arguments=needs_arguments)]
    if not isinstance(value, dict):
        return []
    nested = next((value[key] for key in _NESTED if isinstance(value.get(key), dict | list)), None)
    if nested is not None:
        return calls_of(nested, needs_arguments=needs_arguments)
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), "")
    given: Any = next((value[key] for key in _ARGUMENTS if key in value), None if needs_arguments else {})
    arguments = read_value(given) if isinstance(given, str) else given
    return [_call(name, arguments)] if name and isinstance(arguments, dict) else []


def read_value(text: str) -> Any:
    """Return the value of JSON, or of its like in Python's form; None where it is neither."""
    try:
        return read_json(text.strip(), strict=False)
    except ValueError:
        pass
    try:
        return _as_json(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _as_json(value: Any) -> Any:
    """Return a value of Python as JSON has it: tuples as lists, every text one that can be sent on."""
    return read_json(json.dumps(value, default=str))


def offered(written: Sequence[WrittenCall], tools: Sequence[Tool]) -> list[tuple[str, str]]:
    """Return name and arguments of the calls of tools that are offered, each once; the others are dropped."""
    calls: dict[tuple[str, str], None] = {}
    for call in written:
        tool = offered_tool(call.name, tools)
        if tool is not None:
            arguments = call.arguments if call.is_typed else _typed(call.arguments, tool)
            calls[tool.name, json.dumps(arguments, ensure_ascii=False, default=str)] = None
    return [*calls]


def offered_tool(name: str, tools: Sequence[Tool]) -> Tool | None:
    """Return the tool that a model means, also by `functions.NAME`, `NAME:0` or its owner's name."""
    by_name = {tool.name: tool for tool in tools}
    plain = _NAME_TRIM.sub("", name.strip())
    return by_name.get(name) or by_name.get(plain) or by_name.get(llm_name("", plain))


def _typed(arguments: Mapping[str, str], tool: Tool) -> dict[str, Any]:
    """Return arguments of XML as the tool takes them: as text, or as the value that the text stands for."""
    properties = tool.parameters.get("properties", {})
    typed: dict[str, Any] = {}
    for name, text in arguments.items():
        part = properties.get(name)
        value = None if isinstance(part, Mapping) and "string" in types_of(part) else read_value(text)
        typed[name] = text if value is None else value
    return typed


def _call(name: str, arguments: Mapping[str, Any], *, is_typed: bool = True) -> WrittenCall:
    return WrittenCall(name=_NAME_TRIM.sub("", name.strip()), arguments=arguments, is_typed=is_typed)


def _xml_calls(text: str) -> Iterator[WrittenCall]:
    for name, body in _XML_CALL.findall(text):
        parameters = {key: value.strip() for key, value in _XML_PARAMETER.findall(body)}
        arguments = parameters or (read_value(body) if body.strip() else {})
        if isinstance(arguments, dict):
            yield _call(name, arguments, is_typed=not parameters)


def _glm_calls(text: str) -> Iterator[WrittenCall]:
    if named := _GLM_CALL.search(text):
        arguments = {key: value.strip() for key, value in _GLM_ARGUMENT.findall(text)}
        yield _call(named[1], arguments, is_typed=False)


def _named_calls(text: str) -> Iterator[WrittenCall]:
    for named in _NAMED.finditer(text):
        arguments = next(_values(text[named.end() :]), None)
        if isinstance(arguments, dict):
            yield _call(named[1], arguments)


def _json_calls(text: str) -> Iterator[WrittenCall]:
    for value in _values(text):
        yield from calls_of(value, needs_arguments=False)


def _values(text: str) -> Iterator[Any]:
    """Yield the JSON objects and lists in a text, with what stands between them left out."""
    at = 0
    for _ in range(_MAX_BRACKETS):
        begin = _BRACKET.search(text, at)
        if begin is None:
            return
        rest = text[begin.start() :]
        end = JsonEnd().find(rest)
        value = read_value(rest[:end]) if end else None
        # A bracket may be a mark of the form, such as `[TOOL_CALLS]`: look inside of it for the next one.
        at = begin.end() if value is None else begin.start() + end
        if value is not None:
            yield value


def _python_calls(text: str) -> Iterator[WrittenCall]:
    """Yield calls in Python's form (Llama 4, Gemma): `[name(key="value")]`, also inside of `print()`."""
    found = _PYTHON_CALL.search(text)
    try:
        tree = ast.parse(f"[{text[found.start() : text.rfind(')') + 1]}]" if found else "", mode="eval")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return
    for node in tree.body.elts if isinstance(tree.body, ast.List) else ():
        call = node.args[0] if _is_print(node) else node  # type: ignore[attr-defined]
        if isinstance(call, ast.Call) and not call.args:
            try:
                arguments = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
                arguments = _as_json(arguments)
            except (ValueError, TypeError, MemoryError, RecursionError):
                continue
            yield _call(ast.unparse(call.func), arguments)


def _is_print(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "print" and bool(node.args)
