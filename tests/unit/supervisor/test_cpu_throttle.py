"""Less CPU for some processes, and all of it back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.supervisor import cpu_throttle
from dispatcher.supervisor.cpu_throttle import (
    NO_AFFINITY,
    ONE_CORE,
    AffinityThrottle,
    CgroupThrottle,
    CpuThrottle,
    find_throttle,
)


@pytest.fixture
def sleeper() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    """A folder with the files that a cgroup v2 of this process has."""
    own = tmp_path / "unit"
    own.mkdir()
    (own / "cgroup.controllers").write_text("cpuset cpu memory\n")
    (tmp_path / "self").write_text("1:name=systemd:/x\n0::/unit\n")
    return own


def test_a_cgroup_of_ours_gets_a_child_with_a_small_weight_and_a_bound(cgroup: Path) -> None:
    found = find_throttle(cgroup.parent, cgroup.parent / "self")
    assert isinstance(found, CgroupThrottle)
    child = cgroup / cpu_throttle.GROUP_NAME
    written = {each.name: each.read_text() for each in child.iterdir()}
    cores = os.cpu_count() or 1
    assert written == {"cgroup.type": "threaded", "cpu.weight": "25", "cpu.max": f"{cores * 75_000} 100000"}
    assert (cgroup / "cgroup.subtree_control").read_text() == "+cpu"
    found.limit(7)
    assert (child / "cgroup.procs").read_text() == "7"
    found.release(7)
    assert (cgroup / "cgroup.procs").read_text() == "7"


def test_without_a_cgroup_affinity_is_used_where_there_is_more_than_one_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert isinstance(find_throttle(tmp_path, tmp_path / "none"), AffinityThrottle)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert find_throttle(tmp_path, tmp_path / "none") == ONE_CORE
    monkeypatch.delattr(os, "sched_getaffinity")
    assert find_throttle(tmp_path, tmp_path / "none") == NO_AFFINITY


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core cannot be shared out")
def test_a_process_is_bound_to_fewer_cores_until_it_is_released(sleeper: int) -> None:
    cores = frozenset(os.sched_getaffinity(0))
    throttle = CpuThrottle(AffinityThrottle(cores))
    throttle.match([sleeper, 2**22 + 1])
    assert len(os.sched_getaffinity(sleeper)) == max(1, int(len(cores) * 0.75))
    throttle.match([])
    assert os.sched_getaffinity(sleeper) == cores


def test_where_it_cannot_be_done_nothing_is_tried() -> None:
    throttle = CpuThrottle(ONE_CORE)
    throttle.match([1])
    assert (throttle.way, throttle.reason) == ("", ONE_CORE)
