"""Lua scripts: fragments of `lua` folders joined, with named keys, named arguments and constants from Python.

A fragment writes `keys.fleet`, `args.lease_id` and, in capitals, a constant; what is sent has `KEYS[1]`,
`ARGV[3]` and the value in their places, line by line as in the fragments. Keys and arguments without a name
follow those that have one: FIRST_REST is where such arguments begin, FIRST_REST_KEY where such keys do.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from types import ModuleType
from typing import Final, TypeAlias, TypedDict

Value: TypeAlias = str | bytes | int | float
NamedValues: TypeAlias = Mapping[str, Value | None]

_SHARED: Final = "dispatcher.redis_client"
_TOKEN: Final = re.compile(
    r'(?P<text>"[^"\n]*")|(?P<comment>--[^\n]*)'
    r"|\b(?P<table>keys|args)\.(?P<name>\w+)|\b(?P<constant>[A-Z][A-Z0-9_]+)\b"
)


class RestOperands(TypedDict, total=False):
    """Keys and arguments of a script behind those that have a name; nothing where it gets none."""

    rest_keys: Sequence[Value]
    rest: Sequence[Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script as Redis gets it, and its SHA1 as Redis computes it.

    Attributes:
        keys: names of its keys in the order in which they are sent.
        arguments: likewise of its arguments.
        repeatable: running it twice with the same arguments does no harm.
        lines: fragment and number of each of its lines, for messages about them.
    """

    source: str
    sha: str
    keys: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    repeatable: bool = False
    lines: tuple[tuple[str, int], ...] = field(default=(), repr=False)

    @classmethod
    def load(
        cls, package: str, *fragments: str, constants: ModuleType | None = None, repeatable: bool = False
    ) -> Script:
        """Return the script of these fragments, joined in this order.

        Args:
            package: whose `lua` folder holds them; what is not there is one that all rooms share.
            fragments: their names without the suffix.
            constants: a module whose names in capitals the fragments may use.
            repeatable: running it twice with the same arguments does no harm.
        """
        texts = {name: _read(package, name) for name in fragments}
        rendered = _Rendered("".join(texts.values()), vars(constants) if constants else {})
        return cls(
            source=rendered.source,
            sha=hashlib.sha1(rendered.source.encode(), usedforsecurity=False).hexdigest(),
            keys=rendered.names["keys"],
            arguments=rendered.names["args"],
            repeatable=repeatable,
            lines=tuple(
                (name, number)
                for name, text in texts.items()
                for number, _ in enumerate(text.splitlines(), start=1)
            ),
        )

    def operands(
        self, keys: NamedValues, arguments: NamedValues, rest_keys: Sequence[Value], rest: Sequence[Value]
    ) -> tuple[Value, ...]:
        """Return what EVAL takes after the script: how many keys, the keys and the arguments.

        Names that the script does not use are left out.

        Raises:
            ValueError: a name that the script uses is missing.
        """
        sent = (*_in_order(self.keys, keys), *rest_keys)
        return (len(sent), *sent, *_in_order(self.arguments, arguments), *rest)


class _Rendered:
    """A source with places and values for names."""

    def __init__(self, source: str, constants: Mapping[str, object]) -> None:
        found = {"keys": dict[str, None](), "args": dict[str, None]()}
        for match in _TOKEN.finditer(source):
            if match["table"]:
                found[match["table"]][match["name"]] = None
        self.names = {table: tuple(names) for table, names in found.items()}
        firsts = {"FIRST_REST": len(self.names["args"]) + 1, "FIRST_REST_KEY": len(self.names["keys"]) + 1}
        self._constants = {**constants, **firsts}
        self.source = _TOKEN.sub(self._value_of, source)

    def _value_of(self, match: re.Match[str]) -> str:
        if match["comment"]:
            return ""
        if match["table"]:
            place = self.names[match["table"]].index(match["name"]) + 1
            return f"{'KEYS' if match['table'] == 'keys' else 'ARGV'}[{place}]"
        return _as_lua(self._constants[match[0]]) if match["constant"] in self._constants else match[0]


def _read(package: str, fragment: str) -> str:
    own = resources.files(package) / "lua" / f"{fragment}.lua"
    return (own if own.is_file() else resources.files(_SHARED) / "lua" / own.name).read_text("utf-8")


def _as_lua(value: object) -> str:
    return f"{{ {', '.join(map(_as_lua, value))} }}" if isinstance(value, tuple) else json.dumps(value)


def _in_order(names: tuple[str, ...], given: NamedValues) -> list[Value]:
    """Return the values in the order of the names; a truth is 1 or 0, and None an empty text."""
    try:
        values = [given[name] for name in names]
    except KeyError as error:
        raise ValueError(f"the script also takes {error}, beside {', '.join(given)}") from error
    return ["" if value is None else int(value) if isinstance(value, bool) else value for value in values]
