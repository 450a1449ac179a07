"""What the documents tell a reader to type exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dispatcher.cli import main
from tests.architecture.tree import ROOT, project_files, syntax

SHELLS = {"", "sh", "bash", "shell", "console"}


def _documents() -> list[Path]:
    return [path for path in project_files() if path.suffix == ".md" and path.name != "CHANGELOG.md"]


def _commands() -> Iterator[tuple[str, str]]:
    """Yield (document, command) for every line in a shell block, and for inline code that is a command."""
    for path in _documents():
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(ROOT))
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
            if language in SHELLS:
                yield from ((name, line.strip().removeprefix("$ ")) for line in block.splitlines())
        yield from ((name, code) for code in re.findall(r"`([^`\n]+)`", text))


def _words_after(program: str) -> list[tuple[str, str]]:
    """Return (document, first argument) for every use of a program, also behind variables or `.venv/bin/`."""
    use = re.compile(rf"^(?:\w+=\S+ )*(?:\.venv/bin/)?{program} ([a-z][\w-]*)")
    return [(name, match[1]) for name, line in _commands() if (match := use.match(line))]


def test_the_readme_shows_commands() -> None:
    assert any(name == "README.md" for name, _ in _words_after("make"))


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_what_a_newcomer_pastes_holds_no_comment(name: str) -> None:
    """The shell of macOS (zsh) takes a pasted `#` and what follows for arguments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert blocks
    assert not [block for block in blocks if re.search(r"(^|\s)#", block)]


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, flags=re.MULTILINE))
    assert not [(name, target) for name, target in _words_after("make") if target not in targets]


def test_every_subcommand_of_the_dispatcher_exists() -> None:
    assert isinstance(main, click.Group)
    known = main.list_commands(click.Context(main))
    assert not [(name, word) for name, word in _words_after("dispatcher") if word not in known]


@pytest.mark.parametrize("folder", ["config", "docs", "dispatcher", "workers", "tests"])
def test_every_path_in_the_documents_exists(folder: str) -> None:
    spoken = re.compile(rf"[`( ]({folder}/[\w./-]+\.[a-z]+)(?=[`) ,:]|$)", flags=re.MULTILINE)
    missing = [
        (str(path.relative_to(ROOT)), found)
        for path in _documents()
        for found in spoken.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / found).exists() and "mine" not in found
    ]
    assert not missing


@pytest.mark.parametrize("room", ["front/connection", "pipeline"])
def test_a_turn_and_a_call_are_eight_files_each_which_the_readme_leads_to(room: str) -> None:
    told = ast.get_docstring(syntax(ROOT / "dispatcher" / room / "__init__.py")) or ""
    steps = re.findall(r"^\d\. `([\w.]+)`", told, flags=re.MULTILINE)
    paths = [
        f"{step.replace('.', '/')}.py" if "." in step else f"dispatcher/{room}/{step}.py" for step in steps
    ]
    assert len(paths) == 8
    assert not [path for path in paths if not (ROOT / path).exists()]
    for readme in ("README.md", "README.zh-CN.md"):
        linked = (ROOT / readme).read_text(encoding="utf-8")
        assert not [path for path in paths if f"]({path})" not in linked]
