"""`make hostile`, its short form: strangers get nothing, and good devices are answered."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.attacks import ATTACKS
from tests.support.hosts import two_hosts
from tests.support.processes import ROOT

SECONDS = "2"


@pytest.mark.timeout(480)
def test_strangers_get_nothing_and_good_devices_are_answered(tmp_path: Path) -> None:
    with two_hosts():
        pass  # where hosts cannot be made the test is skipped, or fails
    report = tmp_path / "hostile.json"
    command = [
        sys.executable,
        "-m",
        "tests.hostile.hostile_trial",
        "--seconds",
        SECONDS,
        "--json",
        str(report),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert report.exists(), said.stdout + said.stderr
    found = {each["name"]: each for each in json.loads(report.read_text())["attacks"]}
    assert set(found) == set(ATTACKS)
    for each in found.values():
        assert each["tried"] > 0, each
        # How long good devices wait is a figure of the machine, and no matter of a test.
        assert (each["let_in"], each["unanswered"], each["survived"]) == (0, 0, True), said.stdout
    assert "tracebacks" not in said.stdout
