"""`make chaos`, its short form: nobody hears silence, or an answer twice, and nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.broker import give_up
from tests.support.processes import ROOT

# The number ends a run; the time is for a machine where recoveries take as long as they may (45 s).
FAULTS = 8
MINUTES = 2.5
# Another one draws other faults; `make chaos` prints its own.
SEED = 11


def require_mount_namespace() -> None:
    """Skip, or fail in CI, where none can be made."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        give_up("no mount namespace here")


def run_trial(*options: str) -> subprocess.CompletedProcess[str]:
    """Run `make chaos` in its short form, to its end."""
    form = ["--minutes", str(MINUTES), "--faults", str(FAULTS), "--seed", str(SEED), "--devices", "6"]
    command = [sys.executable, "-m", "tests.chaos.chaos_trial", *form, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.timeout(480)
def test_whatever_comes_nobody_hears_silence_or_an_answer_twice_and_nothing_is_left(tmp_path: Path) -> None:
    require_mount_namespace()
    report, stack_log = tmp_path / "chaos.json", tmp_path / "stack.log"
    said = run_trial("--json", str(report), "--log", str(stack_log))
    assert report.exists(), said.stdout + said.stderr
    found = json.loads(report.read_text())
    shown = said.stdout + stack_log.read_text()[-4000:]
    # The first row is the stack without a fault.
    assert 2 <= len(found["faults"]) <= FAULTS + 1, shown
    for each in found["faults"]:
        assert each["skipped"] == "", shown
        # Figures are those of a busy machine here; promises hold on any.
        assert (each["outcomes"]["silent"], each["spoken_twice"]) == (0, 0), shown
        assert not [problem for problem in each["problems"] if "not well" in problem], shown
    assert found["aftermath"] == {"down": [], "leases": {}, "lasting_keys": {}}, shown
