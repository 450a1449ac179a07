"""CPU, memory and network of the host, or of the container where that has limits of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import psutil

from dispatcher.host_metrics.cgroup import CGROUP_ROOT, OWN_CGROUPS, Cgroup, read_cgroup

# "container": everything shares the limits of this process; "host": each part has a container or unit of its
# own, so the limits here say nothing of the others.
HostScope: TypeAlias = Literal["container", "host"]

LINKS: Final = Path("/sys/class/net")
# Two readings closer together than this would divide by nearly nothing.
SHORTEST_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSample:
    """One reading; None is unknown, which is not 0.

    Attributes:
        cpu_ratio: share of the cores that may be used, since the reading before, 0..1.
        memory_ratio: share of the memory that may be used, 0..1.
        network_ratio: the busiest link's traffic in its busier direction over its speed, 0..1; loopback does
            not count, and a link whose speed the system does not know has no ratio.
        network_bytes_per_s: traffic of the busiest link in its busier direction.
        cores: cores that may be used.
        memory_bytes: memory that may be used.
    """

    cpu_ratio: float | None
    memory_ratio: float
    network_ratio: float | None
    network_bytes_per_s: float | None
    cores: float
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What counts up: compared with the reading before."""

    at_s: float
    busy_s: float
    links: Mapping[str, tuple[int, int]]


class HostMeter:
    """Reads the host every few seconds; what it says is about the time since its reading before."""

    def __init__(
        self,
        scope: HostScope = "container",
        *,
        root: Path = CGROUP_ROOT,
        own: Path = OWN_CGROUPS,
        links: Path = LINKS,
    ) -> None:
        """Read limits and links from these files; there is nothing to compare with yet."""
        self._scope = scope
        self._root = root
        self._own = own
        self._link_files = links
        self._before: _Reading | None = None
        self._latest: HostSample | None = None

    def sample(self, now_s: float | None = None) -> HostSample:
        """Return the sample of now; one that was taken a moment ago is returned again.

        Args:
            now_s: seconds of a clock that only runs forward; the system's own when left out.
        """
        now_s = time.monotonic() if now_s is None else now_s
        before = self._before
        if self._latest is not None and before is not None and now_s - before.at_s < SHORTEST_S:
            return self._latest
        limited = self._scope == "container"
        cgroup = read_cgroup(self._root, self._own) if limited else Cgroup()
        links = _links() if limited else _without_ends(_links(), self._link_files)
        reading = _Reading(at_s=now_s, busy_s=_busy_s(cgroup), links=links)
        self._before, self._latest = reading, _compared(reading, before, cgroup)
        return self._latest


def _compared(now: _Reading, before: _Reading | None, cgroup: Cgroup) -> HostSample:
    cpu_ratio = ratio = bytes_per_s = None
    cores = cgroup.cores if cgroup.cpu_used_s is not None else float(psutil.cpu_count() or 1)
    if before is not None:
        elapsed_s = now.at_s - before.at_s
        cpu_ratio = _clamped((now.busy_s - before.busy_s) / elapsed_s / cores)
        ratio, bytes_per_s = _network(now.links, before.links, elapsed_s)
    return HostSample(
        cpu_ratio=cpu_ratio,
        memory_ratio=_memory_ratio(cgroup),
        network_ratio=ratio,
        network_bytes_per_s=bytes_per_s,
        cores=cores,
        memory_bytes=cgroup.memory_bytes,
    )


def _busy_s(cgroup: Cgroup) -> float:
    """Return the CPU time used so far: the container's where it is limited, else the host's."""
    if cgroup.cpu_used_s is not None:
        return cgroup.cpu_used_s
    times = psutil.cpu_times()
    # Time as a guest is counted in user time already.
    return float(
        sum(getattr(times, part, 0.0) for part in ("user", "nice", "system", "irq", "softirq", "steal"))
    )


def _memory_ratio(cgroup: Cgroup) -> float:
    if cgroup.memory_used_bytes is not None and cgroup.memory_limit_bytes:
        return _clamped(cgroup.memory_used_bytes / cgroup.memory_limit_bytes)
    return _clamped(psutil.virtual_memory().percent / 100)


def _links() -> Mapping[str, tuple[int, int]]:
    """Return the bytes sent and received of every link but loopback."""
    states = psutil.net_if_stats()
    return {
        name: (count.bytes_sent, count.bytes_recv)
        for name, count in psutil.net_io_counters(pernic=True).items()
        if name in states and "loopback" not in states[name].flags and not name.startswith("lo")
    }


def _without_ends(links: Mapping[str, tuple[int, int]], files: Path) -> Mapping[str, tuple[int, int]]:
    """Leave out ends of pairs into other network namespaces: a container's traffic is not the host's."""
    return {name: count for name, count in links.items() if not _is_end(files / name)}


def _is_end(link: Path) -> bool:
    try:
        own, peer = ((link / name).read_text("ascii").strip() for name in ("ifindex", "iflink"))
    except OSError:
        return False
    return own != peer


def _network(
    now: Mapping[str, tuple[int, int]], before: Mapping[str, tuple[int, int]], elapsed_s: float
) -> tuple[float | None, float | None]:
    """Return the largest ratio of any link whose speed is known, and the most bytes per second."""
    rates = {
        name: max(0, *(after - earlier for after, earlier in zip(now[name], before[name], strict=True)))
        / elapsed_s
        for name in now.keys() & before.keys()
    }
    states = psutil.net_if_stats()
    speeds = {
        name: states[name].speed * 1e6 / 8 for name in rates if name in states and states[name].speed > 0
    }
    ratios = [_clamped(rates[name] / speed) for name, speed in speeds.items()]
    return max(ratios, default=None), max(rates.values(), default=None)


def _clamped(ratio: float) -> float:
    # Counters are read one after the other, so a ratio may come out a little beside its bounds.
    return min(1.0, max(0.0, ratio))
