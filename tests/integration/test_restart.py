"""`dispatcher restart` against a real `dispatcher up`: one part after the other, each ready first."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.up_run import UpRun
from tests.support.processes import BIN, own_environment

PARTS = """
broker: exec dispatcher broker
front: PART=front exec {bin}/dispatcher front
asr: PART=asr exec {bin}/celery -A workers worker
beat: PART=beat exec {bin}/celery -A workers beat
asr-1: PART=asr-1 exec {bin}/dispatcher instance asr --port {asr_port}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpRun]:
    """One run for all tests here: each begins with all parts up."""
    running = UpRun(tmp_path_factory.mktemp("restarted"), PARTS, {})
    running.is_up()
    yield running
    running.clean_up()


def restart(run: UpRun, *parts: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the same data folder."""
    return subprocess.run(
        [str(BIN / "dispatcher"), "restart", *parts],
        env=own_environment({"DATA_DIR": str(run.data_dir)}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_workers_beat_and_fronts_restart_in_that_order_and_the_rest_stays(run: UpRun) -> None:
    before = {name: run.pid_of(name) for name in ("broker", "front", "asr", "beat", "asr-1")}
    stopped = len(run.stops)
    said = restart(run)
    assert said.returncode == 0, said.stderr
    assert [line.split(" after ")[0] for line in said.stdout.splitlines()] == [
        "asr is ready again",
        "beat is ready again",
        "front is ready again",
    ]
    assert run.stops[stopped:] == ["asr", "beat", "front"]
    after = {name: run.pid_of(name) for name in before}
    assert {name for name in before if after[name] != before[name]} == {"asr", "beat", "front"}
    assert "back in" not in run.output


def test_named_parts_restart_in_the_order_given(run: UpRun) -> None:
    before = len(run.stops)
    assert restart(run, "asr-1", "asr").returncode == 0
    assert run.stops[before:] == ["asr-1", "asr"]


def test_an_unknown_part_is_refused_by_name(run: UpRun) -> None:
    said = restart(run, "nosuch")
    assert said.returncode == 1
    assert said.stderr == "nosuch: no such part; these run: broker, front, asr, beat, asr-1\n"


def test_without_a_running_up_the_command_says_so(tmp_path: Path) -> None:
    said = subprocess.run(
        [str(BIN / "dispatcher"), "restart"],
        env=own_environment({"DATA_DIR": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 1
    assert said.stderr.startswith(f"no `dispatcher up` runs on {tmp_path}; start it")
