"""Limits and use of a container, from recorded trees of cgroup v1 and v2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from dispatcher.host_metrics.cgroup import Cgroup, read_cgroup
from dispatcher.host_metrics.host import HostMeter

MB = 1024 * 1024
# As Docker with cgroup v2 shows them to a container with `cpus: 1.5` and `mem_limit: 512m`.
V2 = {
    "cgroup.controllers": "cpuset cpu io memory pids\n",
    "cpu.max": "150000 100000\n",
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n",
    "memory.max": f"{512 * MB}\n",
    "memory.current": f"{300 * MB}\n",
    "memory.stat": f"anon {200 * MB}\nfile {90 * MB}\ninactive_file {44 * MB}\n",
}
# As Docker with cgroup v1 shows them; the paths of /proc are those of the host, which are not mounted inside.
V1 = {
    "cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
    "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "cpu,cpuacct/cpuacct.usage": "7000000000\n",
    "memory/memory.limit_in_bytes": f"{256 * MB}\n",
    "memory/memory.usage_in_bytes": f"{100 * MB}\n",
    "memory/memory.stat": f"cache {60 * MB}\ninactive_file 1\ntotal_inactive_file {36 * MB}\n",
}
V1_PATHS = "9:memory:/docker/0c1f\n3:cpu,cpuacct:/docker/0c1f\n1:name=systemd:/docker/0c1f\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The file that says in which groups this process is."""
    path = tmp_path / "own"
    path.write_text("0::/\n")
    return path


def tree(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_container_of_version_2_tells_limits_and_use(tmp_path: Path, own: Path) -> None:
    found = read_cgroup(tree(tmp_path / "fs", V2), own)
    assert found == Cgroup(
        cpu_limit_cores=1.5,
        cpu_used_s=2.5,
        memory_limit_bytes=512 * MB,
        memory_used_bytes=256 * MB,
    )
    assert found.memory_bytes == 512 * MB
    assert 0 < found.cores <= 1.5


def test_a_container_of_version_1_tells_limits_and_use(tmp_path: Path, own: Path) -> None:
    own.write_text(V1_PATHS)
    assert read_cgroup(tree(tmp_path / "fs", V1), own) == Cgroup(
        cpu_limit_cores=0.5, cpu_used_s=7.0, memory_limit_bytes=256 * MB, memory_used_bytes=64 * MB
    )


def test_groups_of_version_1_may_be_mounted_each_for_itself_and_deeper(tmp_path: Path, own: Path) -> None:
    own.write_text("4:cpuacct:/app\n3:cpu:/app\n2:memory:/app\n")
    apart = {
        "cpu/app/cpu.cfs_quota_us": "200000",
        "cpu/app/cpu.cfs_period_us": "100000",
        "cpu/cpu.cfs_quota_us": "-1",
        "cpuacct/app/cpuacct.usage": "1000000000",
        "memory/app/memory.limit_in_bytes": "9223372036854771712",
    }
    assert read_cgroup(tree(tmp_path / "fs", apart), own) == Cgroup(cpu_limit_cores=2.0, cpu_used_s=1.0)


def test_the_tightest_limit_above_a_process_counts_with_the_use_of_its_group(
    tmp_path: Path, own: Path
) -> None:
    own.write_text("0::/system.slice/app.service\n")
    nested = {
        "cgroup.controllers": "cpu memory",
        "system.slice/cpu.max": "100000 100000",
        "system.slice/cpu.stat": "usage_usec 9000000",
        "system.slice/app.service/cpu.max": "400000 100000",
        "system.slice/app.service/cpu.stat": "usage_usec 1000000",
    }
    assert read_cgroup(tree(tmp_path / "fs", nested), own) == Cgroup(cpu_limit_cores=1.0, cpu_used_s=9.0)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cgroup.controllers": "cpu memory"},
        {
            "cgroup.controllers": "cpu",
            "cpu.max": "max 100000",
            "memory.max": "max",
            "cpu.stat": "usage_usec 5",
        },
        {"cgroup.controllers": "cpu", "cpu.max": "nonsense", "memory.max": ""},
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000", "cpuacct/cpuacct.usage": "5"},
    ],
    ids=["no cgroups", "version 2 at the top", "version 2 without limits", "unreadable", "version 1 without"],
)
def test_without_a_limit_the_box_itself_counts(tmp_path: Path, own: Path, files: Mapping[str, str]) -> None:
    found = read_cgroup(tree(tmp_path / "fs", files), own)
    assert found == Cgroup()
    assert found.cores >= 1
    assert found.memory_bytes > 100 * MB


def test_the_box_in_a_container_is_the_container(tmp_path: Path, own: Path) -> None:
    root = tree(tmp_path / "fs", V2)
    meter = HostMeter(root=root, own=own)
    first = meter.sample(now_s=100.0)
    assert (first.cpu_ratio, first.memory_ratio, first.memory_bytes) == (None, 0.5, 512 * MB)
    tree(root, {"cpu.stat": "usage_usec 3250000"})
    second = meter.sample(now_s=101.0)
    assert second.cpu_ratio == pytest.approx(0.75 / second.cores)


def test_limits_of_this_process_alone_say_nothing_of_the_host(tmp_path: Path, own: Path) -> None:
    root = tree(tmp_path / "fs", V2)
    meter = HostMeter("host", root=root, own=own)
    meter.sample(now_s=100.0)
    tree(root, {"cpu.stat": "usage_usec 99000000"})
    sample = meter.sample(now_s=200.0)
    assert sample.memory_bytes == psutil.virtual_memory().total > 512 * MB
    assert sample.cores == psutil.cpu_count()
    assert sample.cpu_ratio is not None
    assert sample.cpu_ratio < 0.5, "a hundred seconds of this host were not spent between two looks"


def test_two_looks_at_the_box_within_a_moment_are_one(tmp_path: Path, own: Path) -> None:
    meter = HostMeter(root=tree(tmp_path / "fs", V2), own=own)
    meter.sample(now_s=100.0)
    second = meter.sample(now_s=105.0)
    assert meter.sample(now_s=105.1) is second
