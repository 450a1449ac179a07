"""Every Redis key is made in redis_client/keys.py, so that its table stays the whole truth."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.architecture.tree import ROOT, files_in, functions, place, syntax

KEYS = ROOT / "dispatcher" / "redis_client" / "keys.py"
_LUA_TEXT = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")


@cache
def key_prefixes() -> frozenset[str]:
    """Return the first word of each key with its colon, as redis_client/keys.py makes them."""
    texts = (text for each in functions(KEYS) for text, _ in _texts(each))
    return frozenset(match[0] for text in texts if (match := re.match(r"\w+:", text)))


def _texts(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every string literal that is not a docstring, and the opening of every f-string."""
    prose = {
        id(each.value)
        for each in ast.walk(tree)
        if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
    }
    for each in ast.walk(tree):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in prose:
            yield each.value, each.lineno


def _lua_texts(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every string of a Lua file; comments do not count."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        code = line.split("--", maxsplit=1)[0]
        yield from ((match[1] or match[2] or "", number) for match in _LUA_TEXT.finditer(code))


def _is_key(text: str) -> bool:
    """Tell a key, or the start of one, from a sentence that begins with the same word."""
    return text.startswith(tuple(key_prefixes())) and not re.search(r"\s", text)


def test_the_prefixes_of_the_keys_are_found() -> None:
    assert {"claim:", "leases:", "replies:", "history:"} <= key_prefixes()


def test_every_key_stands_in_the_table_of_the_module() -> None:
    table = ast.get_docstring(syntax(KEYS)) or ""
    assert not [prefix for prefix in key_prefixes() if f"| {prefix}" not in table]


def test_no_python_makes_a_key_elsewhere() -> None:
    found = [
        f"{place(path, line)} {text!r}"
        for path in files_in("dispatcher", "workers")
        if path != KEYS
        for text, line in _texts(syntax(path))
        if _is_key(text)
    ]
    assert not found


def test_no_lua_makes_a_key() -> None:
    # A script gets its keys, or the start of those that it finds by name, from its caller.
    found = [
        f"{place(path, line)} {text!r}"
        for path in files_in("dispatcher", "workers", suffixes=(".lua",))
        for text, line in _lua_texts(path)
        if _is_key(text)
    ]
    assert not found
