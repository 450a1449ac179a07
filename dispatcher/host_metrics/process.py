"""CPU and memory of single processes: this one, and all of ours on this machine."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psutil

from dispatcher.host_metrics.cgroup import Cgroup, read_cgroup

SHORTEST_S: Final = 0.5
LOOK_EVERY_S: Final = 30.0
MOST_PROCESSES: Final = 64

_PART: Final = re.compile(r"(?:^|/)dispatcher (front|broker|beat|console|instance \w+(?=.* --port (\d+))?)")
_WORKER: Final = re.compile(r"(?:^|/| )celery .*-A workers (?:.* )?worker\b.*? -Q (\S+)")
_BEAT: Final = re.compile(r"(?:^|/| )celery .*-A workers (?:.* )?beat\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSample:
    """What one process uses.

    Attributes:
        name: what it is for, such as "front", "llm worker" or "instance asr 8100".
        cpu_ratio: share of the cores that it may use, since the reading before; None at the first.
        memory_bytes: resident memory.
    """

    pid: int
    name: str
    cpu_ratio: float | None
    memory_bytes: int


class OwnProcess:
    """What this process uses, as shares of what it may use."""

    def __init__(self) -> None:
        """Begin to count CPU time now."""
        self._limits: Cgroup = read_cgroup()
        self._process = psutil.Process()
        self._at_s, self._used_s = time.monotonic(), _cpu_s(self._process)
        self._cpu_ratio: float | None = None

    def cpu_ratio(self) -> float | None:
        """Return the share of the cores since the last question, 0..1; None at the very start."""
        now_s, used_s = time.monotonic(), _cpu_s(self._process)
        if now_s - self._at_s >= SHORTEST_S:
            ratio = (used_s - self._used_s) / (now_s - self._at_s) / self._limits.cores
            self._cpu_ratio = min(1.0, round(ratio, 4))
            self._at_s, self._used_s = now_s, used_s
        return self._cpu_ratio

    def memory_ratio(self) -> float:
        """Return the resident memory as a share of the limit, else of the host, 0..1."""
        return min(1.0, round(self._process.memory_info().rss / self._limits.memory_bytes, 4))


class ProcessMeter:
    """The processes of this project that the same user runs here, whoever started them.

    They are known by their command line: a supervisor of ours, systemd, a container or a hand on the
    keyboard start the same lines, which stand in the Procfile.
    """

    def __init__(self) -> None:
        """Know of none yet; the first `sample` looks."""
        self._known: dict[int, tuple[str, psutil.Process]] = {}
        self._before: dict[int, tuple[float, float]] = {}
        self._looked_at_s: float | None = None

    def sample(self) -> tuple[ProcessSample, ...]:
        """Return what each uses now, by name; new ones are looked for twice a minute."""
        now_s = time.monotonic()
        if self._looked_at_s is None or now_s - self._looked_at_s >= LOOK_EVERY_S:
            self._known, self._looked_at_s = _ours(), now_s
        cores = read_cgroup().cores
        samples = [
            sample
            for pid, (name, process) in list(self._known.items())
            if (sample := self._read(pid, name, process, now_s=now_s, cores=cores))
        ]
        return tuple(sorted(samples, key=lambda sample: (sample.name, sample.pid)))

    def _read(
        self, pid: int, name: str, process: psutil.Process, *, now_s: float, cores: float
    ) -> ProcessSample | None:
        try:
            used_s, memory_bytes = _cpu_s(process), process.memory_info().rss
        except psutil.Error:  # it has ended
            self._known.pop(pid, None)
            self._before.pop(pid, None)
            return None
        before = self._before.get(pid)
        self._before[pid] = (now_s, used_s)
        ratio = None
        if before is not None and now_s > before[0]:
            ratio = min(1.0, max(0.0, (used_s - before[1]) / (now_s - before[0]) / cores))
        return ProcessSample(pid=pid, name=name, cpu_ratio=ratio, memory_bytes=memory_bytes)


def role_of(command: Sequence[str]) -> str | None:
    """Return what a command line of ours is for; None where it is not ours."""
    line = " ".join(command)
    if worker := _WORKER.search(line):
        return f"{worker[1]} worker"
    if _BEAT.search(line):
        return "beat"
    part = _PART.search(line)
    return f"{part[1]} {part[2]}" if part and part[2] else part and part[1]


def _ours() -> dict[int, tuple[str, psutil.Process]]:
    """Return name and handle of each process, a bounded number of them."""
    found: dict[int, tuple[str, psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            if process.uids().real != os.getuid():
                continue
            name = role_of(process.cmdline())
        except psutil.Error:  # it has ended, or is none of our business
            continue
        if name and len(found) < MOST_PROCESSES:
            found[process.pid] = (name, process)
    return found


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
