"""Which tools are believed, and which arguments fit them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import ToolError
from dispatcher.tools.tool_arguments import argument_problem, fitted
from dispatcher.tools.tool_schema import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_SCHEMA_CHARACTERS,
    read_tool,
    shown,
)

VOLUME = {
    "type": "object",
    "properties": {"volume": {"type": "integer", "minimum": 0, "maximum": 100}},
    "required": ["volume"],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "anyOf",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
    ]
)
SCHEMAS = st.recursive(
    JSON,
    lambda inner: st.dictionaries(KEYWORDS, inner | st.lists(inner, max_size=2), max_size=4),
    max_leaves=8,
)


def tool(schema: Any = VOLUME, **fields: Any) -> dict[str, Any]:
    return {"name": "self.set", "description": "Sets it.", "inputSchema": schema, **fields}


def of(**properties: Any) -> dict[str, Any]:
    """Return a schema with these properties, none of them required."""
    return {"type": "object", "properties": properties}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return of(deep=schema)


def test_a_stock_tool_is_taken_as_it_is() -> None:
    read = read_tool(tool())
    assert (read.name, read.description, read.parameters) == ("self.set", "Sets it.", VOLUME)


def test_a_tool_may_have_no_description_or_one_that_is_cut() -> None:
    assert read_tool(tool(description=None)).description == ""
    assert len(read_tool(tool(description="x" * 5_000)).description) == MAX_DESCRIPTION_CHARACTERS


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        of(any=True, other={}),
        of(maybe={"anyOf": [{"type": "string"}, {"type": "null"}]}, either={"type": ["integer", "null"]}),
        of(choice={"enum": ["light", 1]}, far={"$ref": "#/$defs/place"}),
        nested(5),
    ],
)
def test_whatever_real_servers_list_is_taken(schema: dict[str, Any]) -> None:
    assert read_tool(tool(schema)).parameters == schema


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("a tool", 'tool was "a tool", expected an object'),
        (tool(name=3), "name was 3, expected 1 to 128 characters"),
        (tool(name=""), 'name was "", expected'),
        (tool(name="x" * (MAX_NAME_CHARACTERS + 1)), "name was"),
        (tool(name="a\nb"), "name was"),
        (tool(description=[]), "self.set.description was [], expected a text"),
        (tool(None), "self.set.inputSchema was null, expected a schema of type object"),
        (tool({"type": "string"}), "expected a schema of type object"),
        (tool(of(**{"x" * MAX_SCHEMA_CHARACTERS: {}})), "characters, at most 8000 are taken"),
        (tool({"type": "object", "x": {1, 2}}), "inputSchema is no JSON"),
        (tool(of(a={"type": "colour"})), '.properties.a.type was "colour", expected one of object, array'),
        (tool(of(a={"type": [3]})), ".properties.a.type was [3]"),
        (tool(of(a=7)), ".properties.a was 7, expected a schema"),
        (tool({"type": "object", "properties": []}), ".properties was [], expected an object"),
        (
            tool({"type": "object", "required": ["a"]}),
            '.required was ["a"], expected a list of its properties',
        ),
        (tool({"type": "object", "required": "a"}), '.required was "a"'),
        (tool(of(a={"minimum": "low"})), '.a.minimum and maximum were ["low", 0], expected numbers'),
        (tool(of(a={"minimum": 9, "maximum": 1})), ".a.minimum was 9, which is above maximum 1"),
        (tool(of(a={"enum": []})), ".a.enum was [], expected a list of values"),
        (tool(of(a={"anyOf": {}})), ".a.anyOf was {}, expected a list"),
        (tool(of(a={"oneOf": [3]})), ".a.oneOf was 3, expected a schema"),
        (tool(nested(9)), "is nested deeper than 8"),
    ],
)
def test_a_tool_that_lies_is_refused_with_the_field(raw: Any, told: str) -> None:
    with pytest.raises(ToolError) as refused:
        read_tool(raw)
    assert told in str(refused.value)


def test_a_value_is_shown_in_few_characters_even_where_it_is_no_json() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "list"
    assert len(shown("x" * 500)) == 61


@pytest.mark.parametrize("arguments", [{"volume": 30}, {"volume": 30.0}, {"volume": 0, "more": "is ignored"}])
def test_arguments_that_fit_are_no_problem(arguments: dict[str, Any]) -> None:
    assert argument_problem(VOLUME, arguments) == ""


@pytest.mark.parametrize(
    ("schema", "arguments", "told"),
    [
        (VOLUME, [], "arguments was [], expected object"),
        (VOLUME, {}, "arguments.volume is missing"),
        (VOLUME, {"volume": "30"}, 'arguments.volume was "30", expected integer'),
        (VOLUME, {"volume": 30.5}, "arguments.volume was 30.5, expected integer"),
        (VOLUME, {"volume": True}, "arguments.volume was true, expected integer"),
        (VOLUME, {"volume": float("nan")}, "arguments.volume was NaN, expected integer"),
        (VOLUME, {"volume": -1}, "arguments.volume was -1, expected at least 0"),
        (VOLUME, {"volume": 101}, "arguments.volume was 101, expected at most 100"),
        (of(on={"type": "boolean"}), {"on": 1}, "arguments.on was 1, expected boolean"),
        (of(a={"type": ["string", "null"]}), {"a": 1}, "arguments.a was 1, expected string or null"),
        (of(a={"enum": ["light", "dark"]}), {"a": "red"}, 'was "red", expected one of ["light", "dark"]'),
        (of(a={"enum": [1]}), {"a": True}, "arguments.a was true, expected one of [1]"),
        (of(a={"type": "string", "maxLength": 2}), {"a": "abc"}, "has 3 characters, expected 0 to 2"),
        (of(a={"items": {"type": "integer"}}), {"a": [1, "2"]}, 'arguments.a[1] was "2", expected integer'),
        (of(a={"anyOf": [{"type": "string"}, {"type": "null"}]}), {"a": 3}, "which fits none of anyOf"),
        (of(a=of(b={"type": "string"})), {"a": {"b": 1}}, "arguments.a.b was 1, expected string"),
        ({**of(a={}), "additionalProperties": False}, {"b": 1}, "arguments.b is not known; there are a"),
        ({"type": "object", "additionalProperties": False}, {"b": 1}, "there are no arguments"),
    ],
)
def test_arguments_that_do_not_fit_are_told_with_what_was_expected(
    schema: dict[str, Any], arguments: Any, told: str
) -> None:
    assert told in argument_problem(schema, arguments)


def test_what_the_checks_do_not_know_is_left_to_the_tool() -> None:
    schema = of(
        a=True, b={"$ref": "#/x"}, c={"anyOf": [{"type": "string"}]}, d={"type": "string"}, e={"enum": [1]}
    )
    assert argument_problem(schema, {"a": 1, "b": [2], "c": "x", "d": "y", "e": 1, "f": None}) == ""


def test_whole_numbers_go_out_without_a_point() -> None:
    schema = of(a={"type": "integer"}, b={"type": "number"}, c=True)
    assert json.dumps(fitted(schema, {"a": 30.0, "b": 30.0, "c": 1.0})) == '{"a": 30, "b": 30.0, "c": 1.0}'


@given(SCHEMAS, JSON)
def test_no_schema_and_no_arguments_break_the_checks(schema: Any, arguments: Any) -> None:
    try:
        read = read_tool({"name": "t", "inputSchema": {"type": "object", "properties": {"a": schema}}})
    except ToolError:
        return
    argument_problem(read.parameters, {"a": arguments})
    argument_problem(read.parameters, arguments)
