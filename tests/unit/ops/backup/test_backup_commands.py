"""Paths that backup and restore refuse before they ask Redis."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dispatcher.cli import main


@pytest.mark.parametrize(
    ("command", "name", "expected"),
    [
        ("backup", "missing/monday.tar.gz", "expected a folder that is there and can be written to"),
        ("restore", "missing/monday.tar.gz", "expected a backup that is there"),
        ("restore", "monday.tar.gz", "expected a backup that is there"),
        ("restore", ".", "expected a backup that is there"),
    ],
)
def test_a_place_that_is_none_is_told_in_a_sentence(
    tmp_path: Path, command: str, name: str, expected: str
) -> None:
    result = CliRunner().invoke(main, [command, f"{tmp_path}/{name}"])

    assert result.exit_code == 1
    assert f"FILE: was {tmp_path / name}; {expected}" in result.output
