"""House rules that no linter knows. Each failure lists every place, so that one run is enough."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.architecture.tree import (
    ROOT,
    docstring_lines,
    files_in,
    functions,
    place,
    project_files,
    public_names,
    syntax,
)

CODE = (".py", ".lua", ".js", ".css", ".html", ".sh")
FILE_LINES = 300
FUNCTION_LINES = 30
FUNCTION_LINES_WITH_DOCSTRING = 40
CLASS_METHODS = 12
CLASS_ATTRIBUTES = 10
# Bundled instances speak a dialect from its other end, and share no code with its clients.
TWINS = {"Tool", "Message"}
# Folders of one person's machine; a path in a container (/srv, /var, /etc) is not one.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/-])/(?:home|Users|root|work|mnt/c|private/var|tmp/[a-z])/[\w.-]+|[A-Z]:\\\\"
)
# A mirror or index that an installation would be tied to.
REGISTRY = re.compile(
    r"(?i)(?:pypi|pythonhosted|npmjs|crates|rubygems)\.(?:org|com|io)/(?!project/)"
    r"|index[-]url|/simple/?(?=[\s\"'])|artifac[t]ory|nexus[./]|registry\.[\w-]+\.[a-z]{2,}"
)


def test_no_file_is_longer_than_300_lines() -> None:
    too_long = {
        place(path): lines
        for path in files_in("dispatcher", "workers", "tests", "docs", "config", suffixes=CODE)
        if (lines := path.read_text(encoding="utf-8").count("\n")) > FILE_LINES
    }
    assert not too_long


def test_no_function_is_longer_than_30_lines_beside_its_docstring() -> None:
    too_long = {}
    for path in files_in("dispatcher", "workers", "tests"):
        for each in functions(path):
            whole = (each.end_lineno or each.lineno) - each.lineno + 1
            if whole > FUNCTION_LINES_WITH_DOCSTRING or whole - docstring_lines(each) > FUNCTION_LINES:
                too_long[place(path, each.lineno)] = f"{each.name}: {whole}"
    assert not too_long


def test_a_class_of_many_methods_or_attributes_says_why() -> None:
    silent = []
    for path in files_in("dispatcher", "workers"):
        for each in ast.walk(syntax(path)):
            if isinstance(each, ast.ClassDef) and _is_large(each):
                silent += [] if "methods:" in (ast.get_docstring(each) or "") else [place(path, each.lineno)]
    assert not silent


def _is_large(of: ast.ClassDef) -> bool:
    methods = [each for each in of.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    attributes = {
        each.attr
        for each in ast.walk(of)
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
        if isinstance(each.value, ast.Name) and each.value.id == "self"
    }
    return len(methods) > CLASS_METHODS or len(attributes) > CLASS_ATTRIBUTES


def test_the_name_of_a_class_stands_once() -> None:
    where: defaultdict[str, list[str]] = defaultdict(list)
    for path in files_in("dispatcher", "workers"):
        for each in ast.walk(syntax(path)):
            if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
                where[each.name].append(place(path, each.lineno))
    twins = {name: places for name, places in where.items() if len(places) > 1}
    assert not {name: places for name, places in twins.items() if name not in TWINS}


def test_every_public_name_has_a_docstring() -> None:
    silent = []
    for path in files_in("dispatcher", "workers"):
        if not ast.get_docstring(syntax(path)):
            silent.append(place(path))
        silent += [
            f"{place(path, each.lineno)} {each.name}"
            for each in public_names(path)
            if not ast.get_docstring(each)
        ]
    assert not silent


def test_a_module_docstring_opens_with_a_noun_or_a_verb_of_the_field() -> None:
    asking = re.compile(r"(?:What|How|Who|Whose|Where|When|Which|Why)\b")
    found = [path for path in files_in("dispatcher", "workers") if asking.match(_docstring(path))]
    assert not [place(path) for path in found]


def _docstring(path: Path) -> str:
    return ast.get_docstring(syntax(path)) or ""


def test_every_python_file_is_in_a_package() -> None:
    # import-linter passes over a folder without `__init__.py`, and with it over every contract.
    folders = {path.parent for path in files_in("dispatcher", "workers")}
    assert not [place(folder) for folder in folders if not (folder / "__init__.py").exists()]


@pytest.mark.parametrize(
    "line",
    [
        "path: /ho·me/anna/models",
        "cd /Us·ers/anna/src",
        "open('/wo·rk/main/x')",
        "pip install --index·-url x",
        "https://py·pi.org/simple/x",
        "FROM regis·try.example.com/base",
    ],
)
def test_the_search_for_machines_and_registries_finds_them(line: str) -> None:
    # The dots keep the examples from being found in this file.
    line = line.replace("·", "")
    assert MACHINE_PATH.search(line) or REGISTRY.search(line)


@pytest.mark.parametrize("line", ["https://host/home/x", "/srv/app/config", "docs/work/plan", "simple/rules"])
def test_the_search_for_machines_and_registries_leaves_others_alone(line: str) -> None:
    assert not MACHINE_PATH.search(line)
    assert not REGISTRY.search(line)


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    found = [
        f"{place(path, number)} {match[0]}"
        for path in project_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (match := MACHINE_PATH.search(line) or REGISTRY.search(line))
    ]
    assert not found


def test_every_package_and_test_folder_is_known_to_the_builder() -> None:
    # What setuptools does not find would be missing from the wheel, and only there.
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packed = set(re.findall(r'"\*(\.\w+)"', config)) | {".py"}
    shipped = {
        path.suffix
        for path in project_files()
        if path.relative_to(ROOT).parts[0] in {"dispatcher", "workers"}
    }
    assert shipped <= packed
