"""The layers that are drawn are the layers that are kept."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib

from tests.architecture.tree import ROOT, files_in, place, syntax

PURE = ("kpis", "routing/rules", "control/rules", "dialogue", "speech_text")


def _drawn() -> list[set[str]]:
    """Return the layers of docs/architecture.md from the top."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split("## Layers", maxsplit=1)[1]
    block = section.split("```", maxsplit=2)[1].strip().splitlines()
    return [set(re.findall(r"\w+", re.split(r"\s{2,}", line)[0])) for line in block]


def _kept() -> list[set[str]]:
    """Return the layers of the import-linter contract from the top."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    layers = next(each for each in contracts if each["id"] == "layers")["layers"]
    return [set(re.findall(r"\w+", layer)) for layer in layers]


def test_the_layers_of_the_docs_are_those_of_the_linter() -> None:
    drawn = [layer - {"workers"} for layer in _drawn()]
    assert drawn == _kept()


def test_every_import_keeps_to_its_layer() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    result = subprocess.run(
        [*command, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _reaches_out(node: ast.AST) -> bool:
    """Tell what takes time, dice or a file from around it; import-linter sees whole modules only."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        own_dice = node.value.id == "random" and node.attr != "Random"
        return own_dice or node.attr in {"now", "utcnow", "today"}
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name) and called.id in {"open", "print", "input"}


def test_the_pure_packages_take_neither_time_nor_dice_by_themselves() -> None:
    found = [
        place(path, getattr(node, "lineno", 1))
        for path in files_in("dispatcher")
        if path.relative_to(ROOT / "dispatcher").as_posix().startswith(tuple(f"{room}/" for room in PURE))
        for node in ast.walk(syntax(path))
        if _reaches_out(node)
    ]
    assert not found
