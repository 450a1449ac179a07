"""Schemas of tools, checked before an LLM is offered them.

As much of JSON Schema as tools use. What is not known here (`$ref`, `pattern`) is left to the tool itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from dispatcher.errors import ToolError
from dispatcher.tools.model import ListedTool

MAX_SCHEMA_CHARACTERS: Final = 8_000
MAX_NAME_CHARACTERS: Final = 128
MAX_DESCRIPTION_CHARACTERS: Final = 1_024
MAX_DEPTH: Final = 8
BRANCHES: Final = ("anyOf", "oneOf")
_SHOWN_CHARACTERS: Final = 60


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


IS_OF_TYPE: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    # 30.0 is an integer (JSON Schema, 6.1.1), "30" and true are not.
    "integer": lambda value: _is_number(value) and value % 1 == 0,
}
_BOUNDS: Final = (("minimum", "maximum"), ("minLength", "maxLength"))


def read_tool(raw: Any) -> ListedTool:
    """Return a tool as its owner lists it in `tools/list`.

    Raises:
        ToolError: its entry is not valid; the text names which field, what it was and what was expected.
    """
    if not isinstance(raw, Mapping):
        raise ToolError(f"tool was {shown(raw)}, expected an object")
    name, description, schema = raw.get("name"), raw.get("description"), raw.get("inputSchema")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
        raise ToolError(f"name was {shown(name)}, expected 1 to {MAX_NAME_CHARACTERS} characters")
    if not isinstance(description, str | None):
        raise ToolError(f"{name}.description was {shown(description)}, expected a text")
    problem = _problem(schema)
    if problem:
        raise ToolError(f"{name}.inputSchema{problem}")
    said = (description or "")[:MAX_DESCRIPTION_CHARACTERS].strip()
    return ListedTool(name=name, description=said, parameters=schema or {})


def types_of(schema: Mapping[str, Any]) -> Sequence[Any]:
    """Return the types that a schema allows, nothing where it does not say."""
    wanted = schema.get("type", [])
    return wanted if isinstance(wanted, list) else [wanted]


def shown(value: Any) -> str:
    """Return a value as it is shown in a message, cut to a bearable length."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _problem(schema: Any) -> str:
    """Return what is wrong with the schema of a tool's arguments, or nothing."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return f" was {shown(schema)}, expected a schema of type object"
    try:
        size = len(json.dumps(schema, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError) as error:
        return f" is no JSON: {error}"
    if size > MAX_SCHEMA_CHARACTERS:
        return f" has {size} characters, at most {MAX_SCHEMA_CHARACTERS} are taken"
    return next(_problems(schema, "", 0), "")


def _problems(schema: Any, at: str, depth: int) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        yield f"{at} was {shown(schema)}, expected a schema"
    elif depth > MAX_DEPTH:
        yield f"{at} is nested deeper than {MAX_DEPTH}"
    else:
        if not all(isinstance(each, str) and each in IS_OF_TYPE for each in types_of(schema)):
            yield f"{at}.type was {shown(schema['type'])}, expected one of {', '.join(IS_OF_TYPE)}"
        yield from _bound_problems(schema, at)
        yield from _property_problems(schema, at, depth)
        yield from _part_problems(schema, at, depth)


def _bound_problems(schema: Mapping[str, Any], at: str) -> Iterator[str]:
    for pair in _BOUNDS:
        values = [schema.get(key, 0) for key in pair]
        if not all(map(_is_number, values)):
            yield f"{at}.{' and '.join(pair)} were {shown(values)}, expected numbers"
        elif all(key in schema for key in pair) and values[0] > values[1]:
            yield f"{at}.{pair[0]} was {shown(values[0])}, which is above {pair[1]} {shown(values[1])}"
    if "enum" in schema and not (isinstance(schema["enum"], list) and schema["enum"]):
        yield f"{at}.enum was {shown(schema['enum'])}, expected a list of values"


def _property_problems(schema: Mapping[str, Any], at: str, depth: int) -> Iterator[str]:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, Mapping):
        yield f"{at}.properties was {shown(properties)}, expected an object"
    elif not isinstance(required, list) or not all(str(name) in properties for name in required):
        yield f"{at}.required was {shown(required)}, expected a list of its properties"
    else:
        for name, part in properties.items():
            yield from _problems(part, f"{at}.properties.{name}", depth + 1)


def _part_problems(schema: Mapping[str, Any], at: str, depth: int) -> Iterator[str]:
    yield from _problems(schema.get("items", True), f"{at}.items", depth + 1)
    for key in BRANCHES:
        branches = schema.get(key, [])
        if isinstance(branches, list):
            for branch in branches:
                yield from _problems(branch, f"{at}.{key}", depth + 1)
        else:
            yield f"{at}.{key} was {shown(branches)}, expected a list"
