"""The `dispatcher` command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dispatcher.cli import SUBCOMMANDS, main, module_of
from dispatcher.terminal.output import READER_GONE_EXIT_CODE

PROGRAM = "import sys; from dispatcher.cli import main; main(sys.argv[1:])"


def dispatcher(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_the_help_names_every_subcommand() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert all(name in result.output for name in SUBCOMMANDS)


def test_the_command_starts_without_importing_a_subcommand() -> None:
    program = "import sys, dispatcher.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert not {f"dispatcher.cli.{module_of(name)}" for name in SUBCOMMANDS} & set(loaded.split())
    assert not {"aiohttp", "celery", "redis", "rich"} & set(loaded.split())


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_subcommand_exists_and_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"{name} [OPTIONS]" in result.output


def test_an_unknown_subcommand_is_refused() -> None:
    result = CliRunner().invoke(main, ["fly"])
    assert result.exit_code == 2
    assert "No such command 'fly'" in result.output


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["stauts"], "status"),
        (["Drian"], "drain"),
        (["devices", "lst"], "list"),
        (["talk", "--txt"], "--text"),
    ],
)
def test_a_command_or_option_that_is_misspelt_is_answered_with_the_likely_one(
    typed: list[str], meant: str
) -> None:
    result = CliRunner().invoke(main, typed)
    assert result.exit_code == 2
    assert "Did you mean" in result.output
    assert f"'{meant}'" in result.output


@pytest.mark.parametrize("command", [["eject", "llm-1"], ["weight", "llm-1", "2"], ["cap", "llm-1", "2"]])
def test_what_is_no_length_of_time_is_refused(command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--for", "5"])
    assert result.exit_code == 2
    assert "Invalid value for '--for': was '5'; expected a time such as 30s" in result.output


@pytest.mark.parametrize("typed", [["--help"], ["devices", "--help"], ["talk", "--help"]])
def test_a_reader_that_leaves_ends_a_command_without_a_word(typed: list[str]) -> None:
    result = unread(*typed)
    assert (result.returncode, result.stderr) == (READER_GONE_EXIT_CODE, "")


def test_a_reader_that_leaves_ends_what_is_under_way_without_a_word() -> None:
    program = (
        "import asyncio, click, dispatcher.cli as cli\n"
        "async def print_for_ever():\n"
        "    async with asyncio.TaskGroup() as group:\n"
        "        group.create_task(print_lines())\n"
        "async def print_lines():\n"
        "    while True:\n"
        "        print('line', flush=True)\n"
        "        await asyncio.sleep(0)\n"
        "command = click.Command('up', callback=lambda: asyncio.run(print_for_ever()))\n"
        "cli.LazyCommands.get_command = lambda *_: command\n"
        "cli.main(['up'])"
    )
    result = unread(program=program)
    assert (result.returncode, result.stderr) == (READER_GONE_EXIT_CODE, "")


def unread(*arguments: str, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    """Run a command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=20,
        )
    finally:
        os.close(writing)


def test_a_file_that_cannot_be_written_is_one_line_without_pythons_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise PermissionError(13, "Permission denied", "a.yaml")

    monkeypatch.setattr(main, "get_command", lambda *_: click.Command("status", callback=fail))
    result = CliRunner().invoke(main, ["status"])
    assert (result.exit_code, result.stderr) == (1, "Permission denied: 'a.yaml'\n")


def test_a_config_error_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    result = dispatcher("up", "--config", "no.yaml", cwd=tmp_path)
    assert result.returncode == 2
    assert "no.yaml" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_start_error_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://10.0.0.9:6379/0")
    result = CliRunner().invoke(main, ["broker"])
    assert result.exit_code == 1
    assert result.stderr.startswith("REDIS_URL names 10.0.0.9, which is not this machine")


def test_minutes_of_a_soak_that_are_no_number_are_refused() -> None:
    result = CliRunner().invoke(main, ["verify", "--soak", "nan"])
    assert result.exit_code == 2
    assert "was nan; expected minutes, 0.25 to 1440" in result.output
