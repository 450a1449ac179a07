"""What was wanted and what came out, as pure rules over the results of a bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dispatcher.ops.bench.process_usage import Reading, Usage
from dispatcher.ops.bench.samples import Samples

ONE_DEVICE_ABOVE_FLOOR_MS: Final = 20.0
MANY_DEVICES: Final = 100
MANY_DEVICES_OVER_FLOOR: Final = 1.25
GAP_RATIO: Final = 0.01
MEMORY_MB: Final = 450.0
CPU_MS_PER_TURN: Final = 75.0
# What the dispatcher itself is made of; broker and instances are listed apart.
OUR_ROLES: Final = frozenset({"front", "worker", "beat"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One number of devices.

    Attributes:
        reading: what the run cost, process by process.
        roles: what each process is.
    """

    devices: int
    samples: Samples
    reading: Reading
    roles: Mapping[str, str]

    @property
    def our_usages(self) -> list[Usage]:
        """Of front, workers and beat."""
        return [usage for name, usage in self.reading.usages.items() if self.roles[name] in OUR_ROLES]

    @property
    def other_programs_cpu_s(self) -> float:
        """CPU that neither the stack nor the generator spent: what disturbed the run."""
        watched_s = sum(usage.cpu_s for usage in self.reading.usages.values()) + self.samples.cpu_s
        return max(0.0, self.reading.machine_cpu_s - watched_s)

    @property
    def our_cpu_ms_per_turn(self) -> float:
        """CPU of front, workers and beat for each turn that was tried."""
        spent_s = sum(usage.cpu_s for usage in self.our_usages)
        return spent_s * 1000 / max(1, self.samples.all_turns)

    @property
    def our_pss_mb(self) -> float | None:
        """Memory of front, workers and beat; None where the system does not tell."""
        sizes = [usage.pss_mb for usage in self.our_usages]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One bound: what is wanted, what was measured; `passed` is None where it could not be judged."""

    wanted: str
    measured: str
    passed: bool | None


def judge(floor: Samples, runs: Sequence[Run]) -> list[Verdict]:
    """Return a verdict for each bound; those of a number of devices that was not run say so."""
    floor_ms = floor.percentile("first_audio_ms", 0.5)
    by_devices = {run.devices: run for run in runs}
    many = by_devices.get(MANY_DEVICES)
    largest = many or max(runs, key=lambda run: run.devices, default=None)
    return [
        _one_device(floor_ms, by_devices.get(1)),
        _many_devices(floor_ms, many),
        *_speech(many),
        _memory(runs),
        _cpu(largest),
    ]


def _one_device(floor_ms: float, run: Run | None) -> Verdict:
    wanted = f"1 device: first audio p50 at most {ONE_DEVICE_ABOVE_FLOOR_MS:.0f} ms above the floor"
    if run is None:
        return _not_run(wanted, 1)
    above_ms = run.samples.percentile("first_audio_ms", 0.5) - floor_ms
    return Verdict(
        wanted=wanted, measured=f"{above_ms:+.1f} ms", passed=above_ms <= ONE_DEVICE_ABOVE_FLOOR_MS
    )


def _many_devices(floor_ms: float, run: Run | None) -> Verdict:
    wanted = f"{MANY_DEVICES} devices: first audio p95 at most {MANY_DEVICES_OVER_FLOOR} × the floor's p50"
    if run is None:
        return _not_run(wanted, MANY_DEVICES)
    p95_ms = run.samples.percentile("first_audio_ms", 0.95)
    return Verdict(
        wanted=wanted,
        measured=f"{p95_ms:.0f} ms, {p95_ms / floor_ms:.2f} ×",
        passed=p95_ms <= MANY_DEVICES_OVER_FLOOR * floor_ms,
    )


def _speech(run: Run | None) -> list[Verdict]:
    gaps = f"{MANY_DEVICES} devices: turns with a gap under {GAP_RATIO:.0%}"
    lost = f"{MANY_DEVICES} devices: no turn lost"
    if run is None:
        return [_not_run(gaps, MANY_DEVICES), _not_run(lost, MANY_DEVICES)]
    samples = run.samples
    return [
        Verdict(wanted=gaps, measured=f"{samples.gap_ratio:.1%}", passed=samples.gap_ratio < GAP_RATIO),
        Verdict(wanted=lost, measured=f"{len(samples.lost)} of {samples.all_turns}", passed=not samples.lost),
    ]


def _memory(runs: Sequence[Run]) -> Verdict:
    wanted = f"front, workers and beat: at most {MEMORY_MB:.0f} MB PSS"
    sizes = [size for run in runs if (size := run.our_pss_mb) is not None]
    if not sizes:
        return Verdict(wanted=wanted, measured="this system does not tell PSS", passed=None)
    return Verdict(wanted=wanted, measured=f"{max(sizes):.0f} MB", passed=max(sizes) <= MEMORY_MB)


def _cpu(run: Run | None) -> Verdict:
    wanted = f"front, workers and beat: at most {CPU_MS_PER_TURN:.0f} ms of CPU a turn"
    if run is None:
        return Verdict(wanted=wanted, measured="nothing was run", passed=None)
    spent_ms = run.our_cpu_ms_per_turn
    return Verdict(
        wanted=wanted,
        measured=f"{spent_ms:.1f} ms with {run.devices} devices",
        passed=spent_ms <= CPU_MS_PER_TURN,
    )


def _not_run(wanted: str, devices: int) -> Verdict:
    return Verdict(wanted=wanted, measured=f"{devices} not run", passed=None)
