"""Options of an engine: a frozen dataclass for each engine, filled from `--set name=value`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field, fields
from typing import Any, Final, TypeVar, get_type_hints

from dispatcher.errors import ConfigError

Options = TypeVar("Options")

_SWITCH: Final = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
_EXPECTED: Final = {int: "a whole number", float: "a number", bool: "on or off", str: "a text"}


def at_least(minimum: float, *, default: float) -> Any:
    """Return a dataclass field for a number that has a lower bound."""
    return field(default=default, metadata={"minimum": minimum})


def read_options(kind: type[Options], given: Mapping[str, str]) -> Options:
    """Return the options of an engine.

    Args:
        kind: a dataclass whose fields are int, float, bool or str, each with a default.
        given: names and values as the operator wrote them.

    Raises:
        ConfigError: a name is unknown or a value is wrong; one line for each.
    """
    known: dict[str, Field[Any]] = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    problems = [
        f"--set {name}={value}: unknown; the options here are {', '.join(known) or 'none'}"
        for name, value in given.items()
        if name not in known
    ]
    values: dict[str, Any] = {}
    for name in known.keys() & given.keys():
        try:
            values[name] = _read(given[name], hints[name], known[name].metadata.get("minimum"))
        except ValueError as error:
            problems.append(f"--set {name}={given[name]}: expected {error}")
    if problems:
        raise ConfigError(sorted(problems))
    return kind(**values)


def _read(text: str, kind: type, minimum: float | None) -> Any:
    """Return the value; the message of the ValueError is what was expected."""
    expected = _EXPECTED[kind] + (f" of at least {minimum:g}" if minimum is not None else "")
    if kind is bool:
        if text.lower() not in _SWITCH:
            raise ValueError(expected)
        return _SWITCH[text.lower()]
    try:
        value = kind(text)
    except ValueError as error:
        raise ValueError(expected) from error
    if minimum is not None and not value >= minimum:
        raise ValueError(expected)
    return value
