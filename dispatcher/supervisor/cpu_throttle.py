"""Less CPU for some processes: by a cgroup v2 of their own where one can be made, else by affinity."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import psutil

CGROUP_ROOT: Final = Path("/sys/fs/cgroup")
OWN_CGROUP: Final = Path("/proc/self/cgroup")
GROUP_NAME: Final = "xiaozhi-throttled"
# A quarter of what each other process has (100) when all want it, and never more than these cores.
THROTTLED_WEIGHT: Final = 25
THROTTLED_RATIO: Final = 0.75
_PERIOD_US: Final = 100_000
ONE_CORE: Final = "this host has one core, which affinity cannot share out, and no cgroup v2 that is ours"
NO_AFFINITY: Final = "this system has neither cgroup v2 nor affinity, and gives no niceness back"


class Throttle(Protocol):
    """One way to give processes less CPU, and it all back."""

    @property
    def name(self) -> str:
        """The way in a word or two; it is shown."""
        ...

    def limit(self, pid: int) -> None:
        """Give a process less.

        Raises:
            OSError: it is gone, or may not be changed.
        """
        ...

    def release(self, pid: int) -> None:
        """Give a process all of it back; see `limit`."""
        ...


class CgroupThrottle:
    """A threaded child of this process's own cgroup, with a small weight and a bound.

    Source: the kernel's cgroup-v2.rst, "Threads": a group with processes may have threaded children.
    """

    name = "cgroup cpu.weight"

    def __init__(self, own: Path, cores: int) -> None:
        """Make the child.

        Raises:
            OSError: this process may not, or the kernel has no controller of CPU here.
        """
        self._own, self._child = own, own / GROUP_NAME
        self._child.mkdir(exist_ok=True)
        (self._child / "cgroup.type").write_text("threaded")
        (own / "cgroup.subtree_control").write_text("+cpu")
        (self._child / "cpu.weight").write_text(str(THROTTLED_WEIGHT))
        (self._child / "cpu.max").write_text(f"{int(cores * THROTTLED_RATIO * _PERIOD_US)} {_PERIOD_US}")

    def limit(self, pid: int) -> None:
        """Move a process, with all of its threads, into the child."""
        (self._child / "cgroup.procs").write_text(str(pid))

    def release(self, pid: int) -> None:
        """Move it back beside this process."""
        (self._own / "cgroup.procs").write_text(str(pid))


class AffinityThrottle:
    """All threads of a process on three quarters of the cores; the others are left to the rest."""

    name = "affinity"

    def __init__(self, cores: frozenset[int]) -> None:
        """Leave at least one of these cores free."""
        self._all = cores
        self._fewer = frozenset(sorted(cores)[-max(1, int(len(cores) * THROTTLED_RATIO)) :])

    def limit(self, pid: int) -> None:
        """Bind each thread; those that it starts later inherit it."""
        _bind(pid, self._fewer)

    def release(self, pid: int) -> None:
        """Let each thread run on every core of this process."""
        _bind(pid, self._all)


class CpuThrottle:
    """The processes that have less CPU now.

    Attributes:
        way: how they get less; empty where it cannot be done, as `reason` says.
        reason: why not.
    """

    def __init__(self, throttle: Throttle | str) -> None:
        """Use a throttle; a text is the reason for none."""
        self._throttle = None if isinstance(throttle, str) else throttle
        self.way = self._throttle.name if self._throttle else ""
        self.reason = throttle if isinstance(throttle, str) else ""
        self._limited: set[int] = set()

    def match(self, pids: Iterable[int]) -> None:
        """Limit these processes, and release all others that were limited."""
        wanted = set(pids)
        if self._throttle is None or wanted == self._limited:
            return
        for pid in wanted - self._limited:
            with suppress(OSError):  # one that ended this moment
                self._throttle.limit(pid)
        for pid in self._limited - wanted:
            with suppress(OSError):
                self._throttle.release(pid)
        self._limited = wanted


def find_throttle(root: Path = CGROUP_ROOT, own: Path = OWN_CGROUP) -> Throttle | str:
    """Return the best way to give processes less CPU here, or why there is none."""
    cores = psutil.cpu_count() or 1
    with suppress(OSError, StopIteration):
        lines = own.read_text("ascii").splitlines()
        group = root / next(line.removeprefix("0::/") for line in lines if line.startswith("0::/"))
        if "cpu" in (group / "cgroup.controllers").read_text("ascii").split():
            return CgroupThrottle(group, cores)
    if not hasattr(os, "sched_getaffinity"):
        return NO_AFFINITY
    usable = frozenset(os.sched_getaffinity(0))
    return AffinityThrottle(usable) if len(usable) > 1 else ONE_CORE


def _bind(pid: int, cores: frozenset[int]) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)
