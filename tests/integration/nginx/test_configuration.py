"""No line without effect: each directive that is rendered is named with the test that proves it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.secrets import EveryVariable
from dispatcher.ops.nginx import DOCKER, NATIVE, NginxLayout, render
from tests.integration.nginx.proofs import PROOFS
from tests.support.processes import ROOT

HERE: Final = Path(__file__).parent
# What is committed, and what it is rendered from.
COMMITTED: Final[list[tuple[str, str, NginxLayout]]] = [
    ("config/nginx", "config/load_balancing.yaml", NATIVE),
    ("config/nginx/docker", "config/docker/load_balancing.yaml", DOCKER),
]


def directives(text: str) -> Iterator[str]:
    """Yield the name of each directive, blocks too; the entries of a map are no directives."""
    code = re.sub(r"(?m)^\s*#.*$", "", text)
    code = re.sub(r"\bmap\s+\S+\s+\S+\s*\{[^}]*\}", "map;", code)
    code = re.sub(r"'[^']*'|\"[^\"]*\"", "x", code)
    for statement in re.split(r"[;{}]", code):
        words = statement.split()
        if words:
            yield words[0]


def rendered() -> Iterator[tuple[str, str]]:
    for _, source, layout in COMMITTED:
        files = render(load_catalogue(ROOT / source, EveryVariable()), layout)
        yield from ((name, text) for name, text in files.items() if not name.endswith(".env"))


def names_of_tests() -> set[str]:
    """Return the names of all tests of this folder."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in HERE.glob("test_*.py"))
    found = (each for tree in trees for each in tree.body)
    return {each.name for each in found if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_directives_of_a_text_are_found() -> None:
    text = "# user a;\nuser b;\nhttp {\n map $a $b {\n x y;\n }\n"
    text += " log_format c 'a;b' '{d}';\n server { listen 1; } }"

    assert list(directives(text)) == ["user", "http", "map", "log_format", "server", "listen"]


def test_every_directive_has_its_proof() -> None:
    used = {name for _, text in rendered() for name in directives(text)}

    assert not used - PROOFS.keys(), "add a test that fails without the line, and name it in proofs.py"
    assert not PROOFS.keys() - used, "these are proved and no longer rendered"


def test_every_proof_exists() -> None:
    assert not {proof for proofs in PROOFS.values() for proof in proofs} - names_of_tests()


@pytest.mark.parametrize(("folder", "source", "layout"), COMMITTED, ids=["machine", "docker"])
def test_what_is_committed_is_what_the_yaml_says(folder: str, source: str, layout: NginxLayout) -> None:
    files = render(load_catalogue(ROOT / source, EveryVariable()), layout)

    stale = [
        name for name, text in files.items() if (ROOT / folder / name).read_text(encoding="utf-8") != text
    ]

    assert not stale, f"dispatcher nginx render --config {source} --output {folder}"


def test_the_fronts_stand_there_as_the_user_wrote_them() -> None:
    # R3, word by word.
    text = (ROOT / "config" / "nginx" / "upstreams.conf").read_text(encoding="utf-8")
    fronts = text.partition("upstream fronts {")[2].partition("}")[0]

    for line in (
        "server 127.0.0.1:8000 weight=3 max_fails=2 fail_timeout=30s;",
        "server 127.0.0.1:8001 weight=2 max_fails=2 fail_timeout=30s;",
        "keepalive 32;",
        "keepalive_requests 100;",
        "keepalive_timeout 60s;",
        "least_conn;",
    ):
        assert line in fronts
