"""The host and the processes of ours, as this machine really is."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from dispatcher.host_metrics import process as process_metrics
from dispatcher.host_metrics.host import HostMeter
from dispatcher.host_metrics.process import OwnProcess, ProcessMeter, role_of


class Link(NamedTuple):
    """What psutil tells of a link, as far as it is asked."""

    speed: int
    flags: str


class Count(NamedTuple):
    """What psutil counts of a link, as far as it is asked."""

    bytes_sent: int
    bytes_recv: int


def test_this_box_has_figures_between_0_and_1() -> None:
    meter = HostMeter()
    meter.sample(now_s=time.monotonic() - 1)
    sample = meter.sample()
    assert sample.cpu_ratio is not None
    assert 0 <= sample.cpu_ratio <= 1
    assert 0 < sample.memory_ratio <= 1
    assert sample.network_ratio is None or 0 <= sample.network_ratio <= 1


def test_the_network_is_the_busiest_link_with_a_known_speed_and_never_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    links = {
        "lo": Link(10, "up,loopback,running"),
        "eth0": Link(100, "up,broadcast"),
        "wifi": Link(0, "up,broadcast"),
    }
    counts = {"lo": Count(0, 0), "eth0": Count(1_000, 0), "wifi": Count(0, 0)}
    monkeypatch.setattr(psutil, "net_if_stats", lambda: links)
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: dict(counts))
    meter = HostMeter()
    assert meter.sample(now_s=0).network_ratio is None
    counts |= {"lo": Count(10**9, 10**9), "eth0": Count(6_251_000, 10), "wifi": Count(0, 9_000_000)}
    sample = meter.sample(now_s=1)
    assert sample.network_ratio == pytest.approx(0.5)
    assert sample.network_bytes_per_s == 9_000_000
    del links["eth0"]
    assert meter.sample(now_s=2).network_ratio is None


def test_the_end_of_a_pair_into_a_container_is_no_link_of_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, own, peer in (("eth0", "4", "4"), ("veth1", "209", "208")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ifindex").write_text(f"{own}\n")
        (tmp_path / name / "iflink").write_text(f"{peer}\n")
    counts = {"eth0": Count(0, 0), "veth1": Count(0, 0)}
    monkeypatch.setattr(psutil, "net_if_stats", lambda: dict.fromkeys(counts, Link(100, "up")))
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: dict(counts))
    meter = HostMeter("host", links=tmp_path)
    meter.sample(now_s=0)
    counts |= {"eth0": Count(1_000, 0), "veth1": Count(9_000_000, 0)}
    assert meter.sample(now_s=1).network_bytes_per_s == 1_000
    del counts["eth0"]
    assert meter.sample(now_s=2).network_ratio is None


def test_this_process_tells_its_use_once_there_was_time_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    own = OwnProcess()
    assert own.cpu_ratio() is None
    assert 0 < own.memory_ratio() < 1
    began_s = time.monotonic()
    sum(number * number for number in range(300_000))
    monkeypatch.setattr(time, "monotonic", lambda: began_s + 10)
    used = own.cpu_ratio()
    assert used is not None
    assert 0 <= used < 1
    assert own.cpu_ratio() == used


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("/venv/bin/python /venv/bin/dispatcher front", "front"),
        ("python3 /venv/bin/celery -A workers worker -Q asr,llm", "asr,llm worker"),
        ("/venv/bin/celery -A workers worker -n x@%h -Q tts -c 4", "tts worker"),
        ("python /venv/bin/celery -A workers beat", "beat"),
        ("python /venv/bin/dispatcher instance tts --engine voices --port 8300", "instance tts 8300"),
        ("python /venv/bin/dispatcher broker", "broker"),
        ("python /venv/bin/dispatcher status --watch", None),
        ("vim dispatcher/front/connection/front_context.py", None),
        ("celery -A other worker -Q asr", None),
        ("", None),
    ],
)
def test_a_process_of_ours_is_known_by_its_command_line(command: str, role: str | None) -> None:
    assert role_of(command.split()) == role


def test_processes_of_ours_are_found_and_forgotten_when_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests run many beside it.
    monkeypatch.setattr(process_metrics, "MOST_PROCESSES", 10_000)
    sleeper = "import sys, time; print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", sleeper, "/x/dispatcher", "instance", "llm", "--port", "8299"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        meter = ProcessMeter()
        (found,) = [sample for sample in meter.sample() if sample.pid == process.pid]
        assert (found.name, found.cpu_ratio) == ("instance llm 8299", None)
        assert found.memory_bytes > 1_000_000
        (again,) = [sample for sample in meter.sample() if sample.pid == process.pid]
        assert again.cpu_ratio is not None
        process.kill()
    assert not [sample for sample in meter.sample() if sample.pid == process.pid]
