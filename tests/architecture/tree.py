"""The project's files and their syntax, for tests that read code instead of running it."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

ROOT = Path(__file__).parents[2]
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Named: TypeAlias = Function | ast.ClassDef


@cache
def project_files() -> tuple[Path, ...]:
    """Return every text file that is tracked, or would be once it is added."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"git cannot list the files: {error}")
    paths = sorted(ROOT / name for name in listed.split("\0") if name)
    return tuple(path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192])


def files_in(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> tuple[Path, ...]:
    """Return the files below some top-level folders."""
    return tuple(
        path
        for path in project_files()
        if path.suffix in suffixes and path.relative_to(ROOT).parts[0] in folders
    )


@cache
def syntax(path: Path) -> ast.Module:
    """Return a Python file as its syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path: Path, line: int = 1) -> str:
    """Return `path:line`, as editors take it."""
    return f"{path.relative_to(ROOT)}:{line}"


def functions(path: Path) -> Iterator[Function]:
    """Yield every function and method of a file, nested ones too."""
    return (each for each in ast.walk(syntax(path)) if isinstance(each, Function))


def public_names(path: Path) -> Iterator[Named]:
    """Yield classes, functions and methods that others may use: no part of their path is private or local."""
    waiting: list[ast.Module | ast.ClassDef] = [syntax(path)]
    while waiting:
        for each in waiting.pop().body:
            if isinstance(each, Named) and not each.name.startswith("_"):
                yield each
                if isinstance(each, ast.ClassDef):
                    waiting.append(each)


def docstring_lines(node: Named) -> int:
    """Return how many lines the docstring takes."""
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None or first.end_lineno is None:
        return 0
    return first.end_lineno - first.lineno + 1
