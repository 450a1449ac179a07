"""Arguments that an LLM wrote, checked against the schema in words that help it to mend them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dispatcher.tools.tool_schema import BRANCHES, IS_OF_TYPE, MAX_DEPTH, shown, types_of


def argument_problem(schema: Mapping[str, Any], arguments: Any) -> str:
    """Return the first thing that is wrong, or nothing; `read_tool` has accepted the schema."""
    return next(_problems(schema, arguments, "arguments", 0), "")


def fitted(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments that fit, with whole numbers as such: to many a tool 30.0 is no integer."""
    properties = schema.get("properties", {})
    whole = {
        name
        for name, part in properties.items()
        if isinstance(part, Mapping) and list(types_of(part)) == ["integer"]
    }
    return {name: int(value) if name in whole else value for name, value in arguments.items()}


def _problems(schema: Any, value: Any, at: str, depth: int) -> Iterator[str]:
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return
    types = types_of(schema)
    if types and not any(IS_OF_TYPE[each](value) for each in types):
        yield f"{at} was {shown(value)}, expected {' or '.join(types)}"
    else:
        yield from _choice_problems(schema, value, at, depth)
        yield from _inner_problems(schema, value, at, depth)


def _inner_problems(schema: Mapping[str, Any], value: Any, at: str, depth: int) -> Iterator[str]:
    """Yield what is wrong inside a value of the right type."""
    if isinstance(value, str):
        yield from _length_problems(schema, value, at)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _problems(schema.get("items"), item, f"{at}[{number}]", depth + 1)
    elif isinstance(value, dict):
        yield from _object_problems(schema, value, at, depth)
    elif IS_OF_TYPE["number"](value):
        yield from _range_problems(schema, value, at)


def _choice_problems(schema: Mapping[str, Any], value: Any, at: str, depth: int) -> Iterator[str]:
    # In Python true is 1; in JSON it is not.
    if "enum" in schema and not any(
        value == each and isinstance(value, bool) is isinstance(each, bool) for each in schema["enum"]
    ):
        yield f"{at} was {shown(value)}, expected one of {shown(schema['enum'])}"
    for key in BRANCHES:
        branches = schema.get(key, [])
        if branches and all(any(_problems(branch, value, at, depth + 1)) for branch in branches):
            yield f"{at} was {shown(value)}, which fits none of {key}"


def _range_problems(schema: Mapping[str, Any], value: float, at: str) -> Iterator[str]:
    if value < schema.get("minimum", value):
        yield f"{at} was {shown(value)}, expected at least {schema['minimum']}"
    if value > schema.get("maximum", value):
        yield f"{at} was {shown(value)}, expected at most {schema['maximum']}"


def _length_problems(schema: Mapping[str, Any], value: str, at: str) -> Iterator[str]:
    low, high = schema.get("minLength", 0), schema.get("maxLength", len(value))
    if not low <= len(value) <= high:
        yield f"{at} has {len(value)} characters, expected {low} to {high}"


def _object_problems(
    schema: Mapping[str, Any], value: Mapping[str, Any], at: str, depth: int
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{at}.{name} is missing"
    for name, item in value.items():
        if name in properties:
            yield from _problems(properties[name], item, f"{at}.{name}", depth + 1)
        elif schema.get("additionalProperties") is False:
            yield f"{at}.{name} is not known; there are {', '.join(properties) or 'no arguments'}"
