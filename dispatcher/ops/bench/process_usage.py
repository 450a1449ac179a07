"""Cost of processes: CPU between two readings, and memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psutil

from dispatcher.errors import StartError

MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Cost of one process during one run.

    Attributes:
        cpu_s: user and system time.
        pss_mb: at the end of the run, shared pages counted in proportion; None where the system
            does not report it.
    """

    cpu_s: float
    pss_mb: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Cost of a run.

    Attributes:
        wall_s: how long it took.
        machine_cpu_s: CPU that the whole machine spent, other programs too.
        usages: of each process that was watched, by name.
    """

    wall_s: float
    machine_cpu_s: float
    usages: Mapping[str, Usage]

    @property
    def other_cpu_s(self) -> float:
        """CPU of programs that were not watched."""
        return max(0.0, self.machine_cpu_s - sum(usage.cpu_s for usage in self.usages.values()))

    @property
    def other_programs_ratio(self) -> float:
        """The same as a share of one core over the run."""
        return self.other_cpu_s / self.wall_s


class UsageMeter:
    """Reads the same processes before and after a run."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        """Begin a run of these processes."""
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._begun_s = time.monotonic()
        self._machine_before_s = _machine_cpu_s()
        self._before = {name: _cpu_s(process) for name, process in self._processes.items()}

    def read(self) -> Reading:
        """Return what was spent since the beginning.

        Raises:
            StartError: one of the processes is gone, and with it the meaning of the run.
        """
        wall_s = time.monotonic() - self._begun_s
        machine_cpu_s = _machine_cpu_s() - self._machine_before_s
        usages = {}
        for name, process in self._processes.items():
            try:
                cpu_s = _cpu_s(process) - self._before[name]
                usages[name] = Usage(cpu_s=cpu_s, pss_mb=_pss_mb(process))
            except psutil.NoSuchProcess as error:
                raise StartError(f"bench: {name} ended during the run") from error
        return Reading(wall_s=wall_s, machine_cpu_s=machine_cpu_s, usages=usages)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _machine_cpu_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "softirq", 0.0))


def _pss_mb(process: psutil.Process) -> float | None:
    try:
        memory = process.memory_full_info()
    except psutil.AccessDenied:
        return None
    pss = getattr(memory, "pss", None)  # Linux only
    return None if pss is None else float(pss) / MEGABYTE
