"""The `dispatcher` command itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dispatcher.cli import SUBCOMMANDS, main

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
    assert not {command.module for command in SUBCOMMANDS.values()} & set(loaded.split())
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
