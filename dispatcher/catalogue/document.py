"""A YAML file as plain data that still knows on which line each key stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from dispatcher.errors import ConfigError

KeyPath: TypeAlias = tuple[str | int, ...]

# A thousand instances have a tenth of it. A few lines of *name in *name would be millions.
MOST_ENTRIES = 100_000
_LINE_WIDTH = 110

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + kind for kind in ("null", "bool", "int", "float", "str", "seq", "map")}

# What PyYAML says, and what the person at the keyboard most likely did.
_PLAIN_WORDS = {
    "mapping values are not allowed": "a ':' stands where none may: indent the line like its neighbours, "
    "or put text with a colon in quotes",
    "cannot start any token": "a character that YAML keeps for itself; indent with spaces, not tabs, "
    "and put text that starts with @ ` or % in quotes",
    "expected <block end>": "the indentation does not fit the lines above",
    "could not find expected ':'": "a key without its ':'",
    "expected the node content": "a value is missing, or a bracket or brace is never closed",
    "expected ',' or": "a bracket or brace is not closed, or a comma is missing",
    "found unexpected end of stream": "a quote, bracket or brace is never closed",
    "found undefined alias": "a *name that no &name defines",
    "but found another document": "a second document starts; the file holds one",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML file, read.

    Attributes:
        path: as the operator wrote it; each problem starts with it.
        data: mappings with text keys, lists and scalars.
        lines: line of each key and list entry, from 1; the root is the empty path.
        problems: duplicate keys, as (path, text).
    """

    path: str
    data: Any
    lines: Mapping[KeyPath, int]
    problems: tuple[tuple[KeyPath, str], ...]

    def line(self, at: KeyPath) -> int:
        """Return the line of a path, or of its nearest parent when the key itself is not there."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)


def read_document(path: Path) -> Document:
    """Return the file's data with its lines.

    Raises:
        ConfigError: the file is missing, unreadable or no YAML; nothing in it could be looked at.
    """
    text = _read_text(path)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        walk = _Walk(loader)
        walk.visit(root, ())
        data = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(path, error)]) from error
    except RecursionError as error:
        raise ConfigError([f"{path}: brackets or indents stand too deep inside each other"]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            [f"{path}:{line}: an invisible character, number {error.character}, that YAML does not allow"]
        ) from error
    return Document(path=str(path), data=data, lines=walk.lines, problems=tuple(walk.problems))


def write_document(data: Mapping[str, Any]) -> str:
    """Return the text of a file that reads as this data."""
    return yaml.dump(data, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_LINE_WIDTH)


def _read_text(path: Path) -> str:
    """Return the file's text, or raise what the operator can act on."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            [f"{path}: no such file; DISPATCHER_CONFIG, --config or CONFIG= of `make run` names the YAML"]
        ) from error
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {(error.strerror or str(error)).lower()}"]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8 text; save the file as UTF-8"]) from error


def _syntax_problem(path: Path, error: yaml.MarkedYAMLError) -> str:
    """Return one line that says where the YAML breaks and what to look for."""
    said = error.problem or "cannot be understood"
    mark = error.problem_mark or error.context_mark
    hint = next((words for known, words in _PLAIN_WORDS.items() if known in said), said)
    if mark is None:
        return f"{path}: is not readable as YAML: {hint}"
    if error.context_mark is not None and error.context_mark.line < mark.line:
        hint += f" (in what begins on line {error.context_mark.line + 1})"
    return f"{path}:{mark.line + 1}: is not readable as YAML at column {mark.column + 1}: {hint}"


class _Loader(yaml.SafeLoader):
    """PyYAML with the plain scalars of YAML 1.2.

    By the rules of 1.1 the MAC address 10:20:30:40:50:01 is a number in base 60, the model name 2024-11-20 a
    date, and `no` a boolean.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012  the base class declares and types it


def _resolve(kind: str, pattern: str, first: list[str]) -> None:
    """Let plain scalars of that pattern be of that kind; `first` lists how they start."""
    _Loader.add_implicit_resolver(_TAG + kind, re.compile(rf"^(?:{pattern})$"), first)


_NUMBER_STARTS = list("-+.0123456789")
_resolve("null", "~|null|Null|NULL|", ["~", "n", "N", ""])
_resolve("bool", "true|True|TRUE|false|False|FALSE", list("tTfF"))
# A bound on the digits: int() refuses thousands of them with an error that names no line.
_resolve("int", r"[-+]?(?:0|[1-9][0-9]{0,99})", _NUMBER_STARTS)
_resolve("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?", _NUMBER_STARTS)
_resolve("float", r"[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", _NUMBER_STARTS)
_resolve("merge", "<<", ["<"])


class _Dumper(yaml.SafeDumper):
    """PyYAML that puts a text in quotes where the rules of 1.1 or those of the loader see another kind.

    The model name 1e5 is a text by 1.1 alone.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  as above
        first: [
            *yaml.SafeDumper.yaml_implicit_resolvers.get(first, ()),
            *_Loader.yaml_implicit_resolvers.get(first, ()),
        ]
        for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
    }


@dataclass(slots=True)
class _Walk:
    """Visits every node, notes its line, and finds what the constructor would swallow."""

    loader: _Loader
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[tuple[KeyPath, str]] = field(default_factory=list)
    _above: list[yaml.Node] = field(default_factory=list)

    def visit(self, node: yaml.Node | None, at: KeyPath) -> None:
        """Look at the node and go on to its children."""
        if node is None:
            return
        self._refuse_strange(node)
        if len(self.lines) > MOST_ENTRIES:
            problem = f"more than {MOST_ENTRIES} entries, those that a *name repeats included"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        self._above.append(node)
        for child, place in self._children(node, at):
            self.visit(child, place)
        self._above.pop()

    def _children(self, node: yaml.Node, at: KeyPath) -> Iterator[tuple[yaml.Node, KeyPath]]:
        """Yield the node's children, each with its path, and note their lines."""
        if isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                self.lines[(*at, index)] = child.start_mark.line + 1
                yield child, (*at, index)
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                name = self._key(key)
                place = (*at, name)
                # Where a key is doubled, its last line: that is the value that would count.
                self.lines[place] = key.start_mark.line + 1
                if name in seen:
                    self.problems.append((place, f"the key is there twice, first on line {seen[name]}"))
                seen.setdefault(name, self.lines[place])
                yield value, place

    def _key(self, key: yaml.Node) -> str:
        """Return a key's text. Keys are text whatever they look like: a device id may be all digits."""
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key must be a word", problem_mark=key.start_mark)
        if key.tag != _TAG + "merge":
            self._refuse_strange(key)
            key.tag = _TAG + "str"
        return str(key.value)

    def _refuse_strange(self, node: yaml.Node) -> None:
        """Refuse what cannot become plain data: tags of one's own, and a node that contains itself."""
        if any(node is parent for parent in self._above):
            raise yaml.MarkedYAMLError(problem="a *name inside its own &name", problem_mark=node.start_mark)
        fits = node.tag in _PLAIN_TAGS
        if isinstance(node, yaml.ScalarNode) and node.tag != _TAG + "str":
            # What `!!int abc` claims and the text does not keep would fail in the constructor.
            implied = self.loader.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
            fits = fits and node.tag == implied
        if not fits:
            problem = "a tag or sign that has no meaning here; put text in quotes"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
