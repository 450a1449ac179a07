"""Findings of `dispatcher check`: none where all is well, and one for each thing that is wrong."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.model import AlertRules
from dispatcher.catalogue.secrets import EveryVariable
from dispatcher.host_metrics.cgroup import Cgroup
from dispatcher.messages import QUEUES
from dispatcher.ops.backup.last_backup import LastBackup
from dispatcher.ops.checks import deployment_snapshot as snapshot_module
from dispatcher.ops.checks.check_lists import ROWS, run_checks
from dispatcher.ops.checks.check_view import any_failed, as_json, check_view, summary
from dispatcher.ops.checks.deployed_files import ComposeFile, read_compose, read_nginx_files
from dispatcher.ops.checks.deployment_snapshot import HostSnapshot, InstanceSnapshot, WorkerSnapshot
from dispatcher.ops.checks.finding import CHECK_LISTS, Finding
from dispatcher.ops.checks.http_probes import HttpAnswer, NginxAnswers, TypedTurn
from dispatcher.ops.checks.records_snapshot import RecordsSnapshot
from dispatcher.ops.nginx import NATIVE, render
from dispatcher.routing.instance_table import PublishedCatalogue
from dispatcher.settings import Settings
from dispatcher.telemetry.canaries import CanaryView
from tests.support.processes import ROOT
from tests.unit.ops.checks.snapshots import FRONT, HEARD, catalogue, decisions, kpi, overview, snapshot, view

CORES = float(len(os.sched_getaffinity(0)))
# The tuner has no sample in this deployment, which only started.
YOUNG = {"tuner"}


def outcomes(tmp_path: Path, **changed: Any) -> dict[str, Finding]:
    """Return every finding of all lists, by its name."""
    found = run_checks(snapshot(tmp_path, **changed), CHECK_LISTS)
    return {finding.name: finding for findings in found.values() for finding in findings}


def failed(tmp_path: Path, **changed: Any) -> set[str]:
    """Return the names of the rows that fail."""
    found = outcomes(tmp_path, **changed)
    return {name for name, finding in found.items() if finding.outcome == "fail"} - YOUNG


def test_nothing_fails_where_all_is_well(tmp_path: Path) -> None:
    assert failed(tmp_path) == set()


def targets(*health: str) -> str:
    """Return what Prometheus says of so many targets."""
    told = [{"scrapeUrl": f"http://x/{at}", "health": each} for at, each in enumerate(health)]
    return json.dumps({"data": {"activeTargets": told}})


def alerting(secret_env: str | None) -> PublishedCatalogue:
    """Return a catalogue in force that posts its alerts."""
    rules = AlertRules(webhook_url="http://x/hook", secret_env=secret_env)
    return PublishedCatalogue(revision=1, activated_at_ms=0, catalogue=replace(catalogue(), alerts=rules))


SHARED = tuple(WorkerSnapshot(queue=queue, process="box:1", slots=8) for queue in QUEUES)
THIN = tuple(
    WorkerSnapshot(queue=queue, process=f"box:{at}", slots=4 if queue == "llm" else 8)
    for at, queue in enumerate(QUEUES)
)
STALE = tuple(
    CanaryView(queue=queue, consumed_s_ago=99.0, delay_ms=3.0, period_s=5.0, lost=True) for queue in QUEUES
)
UNCHECKED = (InstanceSnapshot(view=view("tts", 1), checked_s_ago=None, adjusted_s_ago=None),)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"host": HostSnapshot(cores=1, memory_bytes=8_000_000_000, disk_free_bytes=10**10)}, {"cores"}),
        ({"host": HostSnapshot(cores=2, memory_bytes=8_000_000_000, disk_free_bytes=10**10)}, set()),
        ({"host": HostSnapshot(cores=4, memory_bytes=10**9, disk_free_bytes=10**8)}, {"memory", "disk"}),
        ({"file": None, "file_problem": "line 3"}, {"YAML is valid", "YAML is in force"}),
        ({"active": None}, {"YAML is in force"}),
        ({"file": replace(catalogue(), kpis=replace(catalogue().kpis, window_s=9))}, {"YAML is in force"}),
        ({"answers": {FRONT: HttpAnswer(status=503, text="draining")}}, {f"front {FRONT}"}),
        ({"fronts": {}}, {"fronts known to Redis"}),
        (
            {"decisions": {"asr": (), "llm": decisions(1, 0), "tts": decisions(50, 50)}},
            {"tts calls by weight"},
        ),
        ({"overview": overview(state="ejected")}, {"instances healthy", "no outlier", "tts failover"}),
        ({"overview": overview(state="failing")}, {"instances healthy", "tts failover"}),
        ({"overview": overview(state="not configured")}, {"instances healthy", "tts failover"}),
        ({"overview": overview(in_flight=5)}, {"caps are kept"}),
        ({"nginx": NginxAnswers(by_server={"a": 25, "b": 25})}, {"nginx weights"}),
        ({"nginx": NginxAnswers(by_server={"a": 40, "b": 10})}, {"nginx weights"}),
        ({"nginx": NginxAnswers(problem="no answer")}, {"nginx weights"}),
        ({"canaries": STALE}, {*(f"queue {queue} consumed" for queue in QUEUES), "beat ticks"}),
        ({"workers": SHARED}, {"control has its own worker"}),
        ({"workers": THIN}, {"llm pool"}),
        (
            {"redis": {"maxmemory_policy": "allkeys-lru", "maxmemory": "9", "used_memory": "1"}},
            {"broker evicts no task"},
        ),
        ({"redis": {"maxmemory_policy": "noeviction", "maxmemory": "0"}}, {"broker's memory is bounded"}),
        ({"records": RecordsSnapshot(problem="away")}, {"records"}),
        ({"records": RecordsSnapshot(version="0001", newest="0002")}, {"records"}),
        ({"instances": UNCHECKED}, {"weights are adjusted", "tts-1 is checked"}),
        ({"kpis": None}, {"figures", "figures are fresh"}),
        ({"flower": HttpAnswer(status=200, text="")}, {"Flower protected"}),
        ({"front_health": {FRONT: HttpAnswer(status=200, text='{"weight": 1}')}}, {f"weight of {FRONT}"}),
        ({"front_health": {FRONT: HttpAnswer(status=0, text="no answer")}}, {f"weight of {FRONT}"}),
        ({"scrape": HttpAnswer(status=200, text=targets("up", "down"))}, {"scrape"}),
        ({"scrape": HttpAnswer(status=0, text="no answer")}, {"scrape"}),
        ({"scrape": HttpAnswer(status=200, text=targets("up"))}, set()),
        ({"nginx_files": {"upstreams.conf": "old"}}, {"nginx files"}),
        ({"nginx_files": {}}, {"nginx files"}),
        ({"compose": ComposeFile(problems=("x: cannot be read",))}, {"compose file"}),
        ({"active": alerting("S"), "webhook": HttpAnswer(status=405, text="")}, {"YAML is in force"}),
        (
            {"active": alerting("S"), "webhook": HttpAnswer(status=0, text="refused")},
            {"YAML is in force", "webhook of alerts"},
        ),
        (
            {"active": alerting(None), "webhook": HttpAnswer(status=200, text="")},
            {"YAML is in force", "webhook of alerts"},
        ),
        ({"turn": TypedTurn(address="x", problem="nobody there")}, {"a real turn"}),
        ({"turn": TypedTurn(address="x", result=replace(HEARD, first_audio_ms=None))}, {"a real turn"}),
    ],
)
def test_what_is_wrong_fails_its_rows_and_no_other(
    tmp_path: Path, changed: dict[str, Any], names: set[str]
) -> None:
    assert failed(tmp_path, **changed) == names


def test_a_figure_beyond_its_target_fails_and_one_of_few_turns_does_not_apply(tmp_path: Path) -> None:
    kpis = snapshot(tmp_path).kpis
    assert kpis is not None
    assert failed(tmp_path, kpis=replace(kpis, standings=(kpi(0.2),))) == {"figure errors"}
    few = outcomes(tmp_path, kpis=replace(kpis, standings=(kpi(0.2, judged=False),)))
    assert few["figure errors"].outcome == "not applicable"


def test_a_backup_is_missed_once_there_is_something_to_lose(tmp_path: Path) -> None:
    records = RecordsSnapshot(where="x", version="0001", newest="0001", turns=7)
    assert failed(tmp_path, records=records) == {"backup"}
    file = tmp_path / "backup.tar.gz"
    file.write_bytes(b"12345")
    note = LastBackup(path=str(file), at_s=snapshot(tmp_path).now_s, size_bytes=5)
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
    found = run_checks(snapshot(tmp_path, flower=HttpAnswer(status=200, text="")), ("3",))
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
        "remedy": "FLOWER_PASSWORD (docs/flower.md)",
    } in (told["lists"]["3"])


@pytest.mark.parametrize(("scope", "cores"), [("container", min(1.5, CORES)), ("host", CORES)])
def test_the_hardware_is_the_machine_s_where_the_command_runs_in_one_container_of_many(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scope: str, cores: float
) -> None:
    limits = Cgroup(cpu_limit_cores=1.5, memory_limit_bytes=2 << 30)
    monkeypatch.setattr(snapshot_module, "read_cgroup", lambda *_: limits)
    settings = Settings(data_dir=tmp_path, box_scope=scope)  # type: ignore[arg-type]

    assert snapshot_module._read_host(settings).cores == cores


def test_every_check_has_one_row_with_its_lists_and_its_remedy() -> None:
    assert len({row.check for row in ROWS}) == len(ROWS)
    assert all(row.remedy for row in ROWS)
    assert {name for row in ROWS for name in row.lists.split()} == set(CHECK_LISTS)


def test_nginx_files_as_rendered_pass_and_a_weight_changed_by_hand_fails(tmp_path: Path) -> None:
    assert read_nginx_files(None) is None
    (tmp_path / "fronts").mkdir()
    for name, text in render(catalogue(), NATIVE).items():
        if name == "upstreams.conf" or name.startswith("fronts/"):
            (tmp_path / name).write_text(text)
    assert failed(tmp_path, nginx_files=read_nginx_files(tmp_path)) == set()
    (tmp_path / "fronts" / "x.env").write_text("INSTANCE_WEIGHT=9\n")
    found = outcomes(tmp_path, nginx_files=read_nginx_files(tmp_path))["nginx files"]
    assert (found.outcome, found.saw) == ("fail", "another text in fronts/x.env")
    assert "nginx render" in found.remedy


def test_a_compose_file_is_read_with_its_env_files(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    limits = "cpus: 1, mem_limit: 1g, restart: always"
    file.write_text(f"services:\n  x: {{{limits}, env_file: x.env}}\n  y: {{{limits}}}\n")
    found = outcomes(tmp_path, compose=read_compose(file))["compose file"]
    assert "x.env: cannot be read" in found.saw
    (tmp_path / "x.env").write_text("INSTANCE_WEIGHT=2\n")
    assert outcomes(tmp_path, compose=read_compose(file))["compose file"].saw == "2 containers"
    file.write_text(f"services:\n  x: {{{limits}, environment: [INSTANCE_WEIGHT=5]}}\n  y: {{}}\n")
    saw = outcomes(tmp_path, compose=read_compose(file))["compose file"].saw
    assert saw == "y: no cpus and no mem_limit; y: no restart; x: INSTANCE_WEIGHT 5, 2 in the YAML"
    file.write_text("nothing: here")
    assert "KeyError" in outcomes(tmp_path, compose=read_compose(file))["compose file"].saw
    assert read_compose(None) is None


def test_the_compose_file_and_the_nginx_files_of_this_project_pass(tmp_path: Path) -> None:
    yaml = load_catalogue(ROOT / "config/docker/load_balancing.yaml", environ=EveryVariable())
    active = PublishedCatalogue(revision=1, activated_at_ms=0, catalogue=yaml)
    found = outcomes(
        tmp_path,
        active=active,
        compose=read_compose(ROOT / "docker-compose.yml"),
        nginx_files=read_nginx_files(ROOT / "config/nginx/docker"),
    )
    assert found["compose file"].outcome == "pass", found["compose file"].saw
    assert found["nginx files"].outcome == "pass", found["nginx files"].saw
