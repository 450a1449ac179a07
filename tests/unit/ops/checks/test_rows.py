"""What the rows of `dispatcher check` find: nothing where all is well, and each thing that is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dispatcher.messages import QUEUES
from dispatcher.ops.backup.last_backup import LastBackup
from dispatcher.ops.checks import find
from dispatcher.ops.checks.check_row import LISTS, Finding
from dispatcher.ops.checks.probes import Answer, FlowerSeen, NginxSeen, TurnSeen
from dispatcher.ops.checks.records_snapshot import RecordsSeen
from dispatcher.ops.checks.snapshot import HostSnapshot, InstanceSeen, WorkerSeen
from dispatcher.ops.checks.view import any_failed, as_json, check_view, summary
from dispatcher.telemetry.canaries import CanaryView
from tests.unit.ops.checks.seen import FRONT, HEARD, catalogue, decisions, evidence, kpi, overview, view

# The tuner has no sample in this deployment, which only started.
YOUNG = {"tuner"}


def outcomes(tmp_path: Path, **changed: Any) -> dict[str, Finding]:
    """Return every finding of all lists, by its name."""
    found = find(evidence(tmp_path, **changed), LISTS)
    return {finding.name: finding for findings in found.values() for finding in findings}


def failed(tmp_path: Path, **changed: Any) -> set[str]:
    """Return the names of the rows that fail."""
    found = outcomes(tmp_path, **changed)
    return {name for name, finding in found.items() if finding.outcome == "fail"} - YOUNG


def test_nothing_fails_where_all_is_well(tmp_path: Path) -> None:
    assert failed(tmp_path) == set()


SHARED = tuple(WorkerSeen(queue=queue, pid=1, slots=8) for queue in QUEUES)
THIN = tuple(
    WorkerSeen(queue=queue, pid=at, slots=4 if queue == "llm" else 8) for at, queue in enumerate(QUEUES)
)
STALE = tuple(
    CanaryView(queue=queue, consumed_s_ago=99.0, delay_ms=3.0, period_s=5.0, lost=True) for queue in QUEUES
)
UNCHECKED = (InstanceSeen(view=view("tts", 1), checked_s_ago=None, adjusted_s_ago=None),)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"box": HostSnapshot(cores=1, memory_bytes=8_000_000_000, disk_free_bytes=10**10)}, {"cores"}),
        ({"box": HostSnapshot(cores=2, memory_bytes=8_000_000_000, disk_free_bytes=10**10)}, set()),
        ({"box": HostSnapshot(cores=4, memory_bytes=10**9, disk_free_bytes=10**8)}, {"memory", "disk"}),
        ({"file": None, "file_problem": "line 3"}, {"YAML is valid", "YAML is in force"}),
        ({"in_force": None}, {"YAML is in force"}),
        ({"file": replace(catalogue(), kpis=replace(catalogue().kpis, window_s=9))}, {"YAML is in force"}),
        ({"answers": {FRONT: Answer(status=503, text="draining")}}, {f"front {FRONT}"}),
        ({"fronts": {}}, {"fronts known to Redis"}),
        (
            {"decisions": {"asr": (), "llm": decisions(1, 0), "tts": decisions(50, 50)}},
            {"tts calls by weight"},
        ),
        ({"overview": overview(state="ejected")}, {"instances healthy", "no outlier", "tts failover"}),
        ({"overview": overview(state="failing")}, {"instances healthy", "tts failover"}),
        ({"overview": overview(state="not configured")}, {"instances healthy", "tts failover"}),
        ({"overview": overview(in_flight=5)}, {"caps are kept"}),
        ({"nginx": NginxSeen(by_server={"a": 25, "b": 25})}, {"nginx weights"}),
        ({"nginx": NginxSeen(by_server={"a": 40, "b": 10})}, {"nginx weights"}),
        ({"nginx": NginxSeen(trouble="no answer")}, {"nginx weights"}),
        ({"canaries": STALE}, {*(f"queue {queue} consumed" for queue in QUEUES), "beat ticks"}),
        ({"workers": SHARED}, {"control has its own worker"}),
        ({"workers": THIN}, {"llm pool"}),
        (
            {"redis": {"maxmemory_policy": "allkeys-lru", "maxmemory": "9", "used_memory": "1"}},
            {"broker evicts no task"},
        ),
        ({"redis": {"maxmemory_policy": "noeviction", "maxmemory": "0"}}, {"broker's memory is bounded"}),
        ({"records": RecordsSeen(trouble="away")}, {"records"}),
        ({"records": RecordsSeen(version="0001", newest="0002")}, {"records"}),
        ({"instances": UNCHECKED}, {"weights are adjusted", "tts-1 is checked"}),
        ({"board": None}, {"figures", "figures are fresh"}),
        ({"flower": FlowerSeen(status=200, address="x")}, {"Flower protected"}),
        ({"turn": TurnSeen(address="x", trouble="nobody there")}, {"a real turn"}),
        ({"turn": TurnSeen(address="x", result=replace(HEARD, first_audio_ms=None))}, {"a real turn"}),
    ],
)
def test_what_is_wrong_fails_its_rows_and_no_other(
    tmp_path: Path, changed: dict[str, Any], names: set[str]
) -> None:
    assert failed(tmp_path, **changed) == names


def test_a_figure_beyond_its_target_fails_and_one_of_few_turns_does_not_apply(tmp_path: Path) -> None:
    board = evidence(tmp_path).board
    assert board is not None
    assert failed(tmp_path, board=replace(board, standings=(kpi(0.2),))) == {"figure errors"}
    few = outcomes(tmp_path, board=replace(board, standings=(kpi(0.2, judged=False),)))
    assert few["figure errors"].outcome == "not applicable"


def test_a_backup_is_missed_once_there_is_something_to_lose(tmp_path: Path) -> None:
    records = RecordsSeen(where="x", version="0001", newest="0001", turns=7)
    assert failed(tmp_path, records=records) == {"backup"}
    file = tmp_path / "backup.tar.gz"
    file.write_bytes(b"12345")
    note = LastBackup(path=str(file), at_s=evidence(tmp_path).now_s, size_bytes=5)
    assert failed(tmp_path, records=records, backup=note) == set()
    assert failed(tmp_path, records=records, backup=replace(note, size_bytes=6)) == {"backup"}
    assert failed(tmp_path, records=records, backup=replace(note, at_s=0.0)) == {"backup"}


def test_a_key_that_others_can_read_fails(tmp_path: Path) -> None:
    (tmp_path / "auth.key").write_text("x")
    (tmp_path / "auth.key").chmod(0o644)
    assert failed(tmp_path) == {"secrets"}


def test_algorithms_that_go_by_load_promise_no_shares(tmp_path: Path) -> None:
    found = outcomes(tmp_path)
    assert found["llm calls by weight"].outcome == "not applicable"
    assert found["tts calls by weight"].saw == "tts-1 67% of 67%, tts-2 33% of 33% (90 calls)"


def test_the_tables_and_the_json_tell_the_same(tmp_path: Path) -> None:
    found = find(evidence(tmp_path, flower=FlowerSeen(status=200, address="x")), ("3",))
    console = Console(width=200)
    with console.capture() as said:
        console.print(check_view(found))
    assert any_failed(found)
    assert "Phase 3: smart routing" in said.get()
    assert summary(found) in said.get()
    told = json.loads(json.dumps(as_json(found)))
    assert told["passed"] is False
    assert {
        "name": "Flower protected",
        "outcome": "fail",
        "saw": "200",
        "expected": "401 without a password",
    } in (told["lists"]["3"])
