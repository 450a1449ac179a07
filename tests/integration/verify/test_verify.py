"""`dispatcher check` and `dispatcher verify` against a real `dispatcher up`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.verify.chaos_stack import ChaosStack
from tests.support.broker import Broker
from tests.support.processes import BIN, own_environment
from tests.support.waiting import eventually, eventually_says

pytestmark = pytest.mark.timeout(240)


def rows_of(said: dict[str, Any], name: str) -> dict[str, str]:
    """Return the outcome of each row of a list, by its name."""
    return {row["name"]: row["outcome"] for row in said["lists"][name]}


def test_every_row_about_a_stack_that_is_well_passes_or_does_not_apply(chaos_stack: ChaosStack) -> None:
    def adjusted() -> bool:
        # Weights are adjusted, and the tuner looks round, once in twelve seconds of this scaled time.
        said = chaos_stack.dispatcher("check", "--phase", "3", "--json")
        return {"weights are adjusted", "tuner"} <= {
            name for name, outcome in rows_of(json.loads(said.stdout), "3").items() if outcome == "pass"
        }

    eventually_says(adjusted, what="the first adjustment", within_s=60)
    said = json.loads(chaos_stack.dispatcher("check", "--phase", "2", "--phase", "3", "--json").stdout)
    of_this_box = {"figure cpu", "figure memory"}
    found = {**rows_of(said, "2"), **rows_of(said, "3")}
    assert [name for name, outcome in found.items() if outcome == "fail" and name not in of_this_box] == []
    for name in (
        "queue llm consumed",
        "llm pool",
        "records",
        "beat ticks",
        "llm-2 is checked",
        "a real turn",
    ):
        assert found[name] == "pass", name
    assert found["a real turn"] == "pass"


def test_a_drained_service_fails_its_failover_row_and_the_exit_code_says_so(chaos_stack: ChaosStack) -> None:
    assert chaos_stack.dispatcher("drain", "tts-2").returncode == 0
    try:
        said = chaos_stack.dispatcher("check", "--phase", "1", "--json")
    finally:
        assert chaos_stack.dispatcher("restore", "tts-2").returncode == 0
    assert said.returncode == 1
    found = rows_of(json.loads(said.stdout), "1")
    assert (found["tts failover"], found["llm failover"]) == ("fail", "pass")


def test_faults_are_judged_and_no_turn_is_silent(chaos_stack: ChaosStack, tmp_path: Path) -> None:
    report, web_page = tmp_path / "report.json", tmp_path / "report.html"
    said = chaos_stack.dispatcher(
        *("verify", "--quick", "--only", "fast-fail,worker,overload"),
        *("--json", str(report), "--html", str(web_page)),
    )
    assert report.exists(), said.stdout + said.stderr
    found = json.loads(report.read_text())
    faults = {each["fault"]: each for each in found["faults"]}
    assert list(faults) == ["none", "fast-fail", "worker", "overload"], said.stdout
    for each in faults.values():
        assert each["skipped"] == ""
        assert each["outcomes"]["answered"] > 0
        assert each["outcomes"]["silent"] == 0
        assert {figure["name"] for figure in each["figures"]} >= {"failover", "errors", "share", "cpu"}
    assert faults["fast-fail"]["hurt"] == 0
    assert "kill -9 of worker llm" in faults["worker"]["what"]
    assert chaos_stack.fault_of("llm-1") == "none"
    assert chaos_stack.overrides() == {}
    assert web_page.read_text().startswith("<!doctype html>")


def test_a_soak_holds_the_stack_at_a_load_with_faults_and_ends_by_itself(
    chaos_stack: ChaosStack, tmp_path: Path
) -> None:
    report, web_page = tmp_path / "soak.json", tmp_path / "soak.html"
    began_s = time.monotonic()
    said = chaos_stack.dispatcher(
        *("verify", "--soak", "0.4", "--quick", "--only", "fast-fail,kill", "--devices", "12"),
        *("--json", str(report), "--html", str(web_page)),
    )
    assert report.exists(), said.stdout + said.stderr
    # Its own time and one recovery at most.
    assert time.monotonic() - began_s < 24 + 45 + 30
    found = json.loads(report.read_text())
    assert [each["skipped"] for each in found["faults"]] == [""], said.stdout
    assert found["figures"]["turns"]["answered"] > 0
    assert found["figures"]["turns"]["silent"] == 0
    assert max(each["devices"] for each in found["samples"]) <= 12
    assert all(each["memory_mb"] > 0 for each in found["samples"])
    for words in ("availability", "utilisation (CPU)", "memory of the stack"):
        assert words in said.stdout
    assert "<svg" in web_page.read_text()
    assert chaos_stack.fault_of("llm-1") == "none"


def test_ctrl_c_in_the_middle_of_a_fault_undoes_it(chaos_stack: ChaosStack) -> None:
    process = subprocess.Popen(
        [str(BIN / "dispatcher"), "verify", "--quick", "--only", "stall"],
        env=own_environment({**chaos_stack.environ_of_commands, "PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        eventually(lambda: chaos_stack.fault_of("llm-1") == "stall-after", what="the fault", within_s=60)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted; every fault is undone"
    assert chaos_stack.fault_of("llm-1") == "none"


def test_one_more_instance_has_calls_and_a_restarted_one_is_another_process(chaos_stack: ChaosStack) -> None:
    def instances() -> dict[str, dict[str, Any]]:
        services = json.loads(chaos_stack.dispatcher("status", "--json").stdout)["services"]
        return {each["name"]: each for one in services for each in one["instances"]}

    def has_calls() -> bool:
        chaos_stack.talk()
        return bool(instances().get("tts-1-extra-1", {}).get("calls"))

    # A tuner that remembers nothing takes back at its first step whatever is set.
    eventually_says(
        lambda: "samples       0" not in chaos_stack.dispatcher("tuner", "status").stdout, what="a first step"
    )
    before = chaos_stack.pid_of("llm-2")
    chaos_stack.set_overrides(
        {"extra_instances.tts": 1, "restart_instance.llm/llm-2": 1, "throttled_instances": 1}
    )
    eventually_says(lambda: "tts-1-extra-1" in instances(), what="one more instance is active")
    eventually(has_calls, what="it has calls")
    eventually(lambda: chaos_stack.pid_of("llm-2") not in (None, before), what="llm-2 is another process")
    few = max(1, (os.cpu_count() or 1) * 3 // 4)
    eventually(
        lambda: len(os.sched_getaffinity(chaos_stack.pid_of("tts-2") or 0)) == few, what="tts-2 has less CPU"
    )
    chaos_stack.unset_overrides("extra_instances.tts", "throttled_instances")
    eventually(lambda: chaos_stack.pid_of("tts-1-extra-1") is None, what="it has ended")
    assert "tts-1-extra-1" not in instances()
    assert chaos_stack.overrides() == {}


def test_a_stack_that_does_not_allow_it_is_left_alone_and_told_how(broker: Broker) -> None:
    said = subprocess.run(
        [str(BIN / "dispatcher"), "verify"],
        env=own_environment({"REDIS_URL": broker.url}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 1
    assert "allows faults: start one that nobody depends on with `make run VERIFY=1`" in said.stderr
