"""The limits and the use of the container that this process runs in, by cgroup v2 or v1.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{cpuacct,memory}.rst, sched-bwc.rst.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

CGROUP_ROOT: Final = Path("/sys/fs/cgroup")
OWN_CGROUPS: Final = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroup:
    """What limits this process's group, and what the limited group uses; None where there is no limit.

    Attributes:
        cpu_limit_cores: cores of CPU time per second, such as 1.5.
        cpu_used_s: CPU time that the group has used in all.
        memory_limit_bytes: less than the host has.
        memory_used_bytes: without what the kernel would give back at once (inactive file cache).
    """

    cpu_limit_cores: float | None = None
    cpu_used_s: float | None = None
    memory_limit_bytes: int | None = None
    memory_used_bytes: int | None = None

    @property
    def cores(self) -> float:
        """The cores that may be used: those of the limit, else those of this process's affinity."""
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count()
        return min(self.cpu_limit_cores or float("inf"), float(allowed or 1))

    @property
    def memory_bytes(self) -> int:
        """The memory that may be used: that of the limit, else that of the host."""
        return self.memory_limit_bytes or int(psutil.virtual_memory().total)


def read_cgroup(root: Path = CGROUP_ROOT, own: Path = OWN_CGROUPS) -> Cgroup:
    """Return the tightest limits above this process; empty where the system has no cgroups.

    Args:
        root: where the hierarchies are mounted.
        own: the file that names this process's groups.
    """
    paths = _own_paths(_text(own))
    if (root / "cgroup.controllers").exists():
        return _read_v2(list(_upwards(root, paths.get("", "/"))))
    return _read_v1(root, paths)


def _own_paths(text: str) -> dict[str, str]:
    """Return the path of each controller; v2 has one, under the empty name."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        paths |= dict.fromkeys(controllers.split(","), path)
    return paths


def _upwards(mounted: Path, path: str) -> Iterator[Path]:
    """Yield the folders from a group's own to the top; in a container only the top may be visible."""
    below = [part for part in path.split("/") if part and part != ".."]
    for length in range(len(below), -1, -1):
        folder = mounted.joinpath(*below[:length])
        if folder.is_dir():
            yield folder


def _read_v2(folders: list[Path]) -> Cgroup:
    cpu = _tightest([(_v2_cores(_text(folder / "cpu.max")), folder) for folder in folders])
    memory = _tightest([(_limit(_text(folder / "memory.max")), folder) for folder in folders])
    used_us = _field(_text(cpu[1] / "cpu.stat"), "usage_usec") if cpu else None
    return Cgroup(
        cpu_limit_cores=cpu[0] if cpu else None,
        cpu_used_s=None if used_us is None else used_us / 1e6,
        memory_limit_bytes=int(memory[0]) if memory else None,
        memory_used_bytes=_used(memory[1], "memory.current", "inactive_file") if memory else None,
    )


def _read_v1(root: Path, paths: dict[str, str]) -> Cgroup:
    cpu = _tightest([(_v1_cores(folder), folder) for folder in _v1_folders(root, "cpu", paths)])
    accounts = [_number(_text(folder / "cpuacct.usage")) for folder in _v1_folders(root, "cpuacct", paths)]
    used_ns = next((used for used in accounts if used is not None), None)
    memory = _tightest(
        [
            (_limit(_text(folder / "memory.limit_in_bytes")), folder)
            for folder in _v1_folders(root, "memory", paths)
        ]
    )
    return Cgroup(
        cpu_limit_cores=cpu[0] if cpu else None,
        cpu_used_s=used_ns / 1e9 if cpu and used_ns is not None else None,
        memory_limit_bytes=int(memory[0]) if memory else None,
        memory_used_bytes=_used(memory[1], "memory.usage_in_bytes", "total_inactive_file")
        if memory
        else None,
    )


def _v1_folders(root: Path, controller: str, paths: dict[str, str]) -> list[Path]:
    """Return a controller's folders from our own to the top; cpu and cpuacct are often mounted as one."""
    mounted = (
        [root / controller, root / "cpu,cpuacct"] if controller.startswith("cpu") else [root / controller]
    )
    found = next((folder for folder in mounted if folder.is_dir()), None)
    return list(_upwards(found, paths.get(controller, "/"))) if found else []


def _tightest(limits: list[tuple[float | None, Path]]) -> tuple[float, Path] | None:
    """Return the smallest limit and the group that it holds for."""
    found = [(limit, folder) for limit, folder in limits if limit is not None]
    return min(found) if found else None


def _v2_cores(text: str) -> float | None:
    """Return the cores of `50000 100000`; `max 100000` is no limit."""
    quota, period = (_number(word) for word in (*text.split(), "", "")[:2])
    return quota / period if quota and period else None


def _v1_cores(folder: Path) -> float | None:
    quota = _number(_text(folder / "cpu.cfs_quota_us"))
    period = _number(_text(folder / "cpu.cfs_period_us"))
    return quota / period if quota and period and quota > 0 else None


def _limit(text: str) -> int | None:
    """Return a memory limit; v2 says `max` and v1 a number near 2 to the 63rd where there is none."""
    limit = _number(text)
    return limit if limit is not None and limit < psutil.virtual_memory().total else None


def _used(folder: Path, name: str, reclaimable: str) -> int | None:
    used = _number(_text(folder / name))
    spare = _field(_text(folder / "memory.stat"), reclaimable) or 0
    return None if used is None else max(0, used - spare)


def _field(text: str, name: str) -> int | None:
    """Return the number of a line `name number`."""
    words = (line.split() for line in text.splitlines())
    return next((_number(line[1]) for line in words if len(line) == 2 and line[0] == name), None)


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _text(path: Path) -> str:
    """Return a file's text; what cannot be read says nothing."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
