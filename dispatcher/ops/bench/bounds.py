"""Bounds of `dispatcher bench devices`: a table of pure rules over its runs; a new bound is a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from dispatcher.ops.bench.process_usage import Reading, Usage
from dispatcher.ops.bench.samples import Samples

ONE_DEVICE_ABOVE_BASELINE_MS: Final = 20.0
MANY_DEVICES: Final = 100
MANY_DEVICES_OVER_BASELINE: Final = 1.25
GAP_RATIO: Final = 0.01
MEMORY_MB: Final = 450.0
CPU_MS_PER_TURN: Final = 75.0
# Roles of the dispatcher itself; broker and instances are listed apart.
OUR_ROLES: Final = frozenset({"front", "worker", "beat"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One number of devices.

    Attributes:
        reading: cost of the run, process by process.
        roles: of each process.
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
        """CPU that neither the stack nor the load spent: what disturbed the run."""
        return max(0.0, self.reading.other_cpu_s - self.samples.cpu_s)

    @property
    def our_cpu_ms_per_turn(self) -> float:
        """CPU of front, workers and beat for each turn that was tried."""
        spent_s = sum(usage.cpu_s for usage in self.our_usages)
        return spent_s * 1000 / max(1, self.samples.all_turns)

    @property
    def our_pss_mb(self) -> float | None:
        """Memory of front, workers and beat; None where the system does not report it."""
        sizes = [usage.pss_mb for usage in self.our_usages]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One bound: what is wanted, what was measured; `passed` is None where it could not be judged."""

    wanted: str
    measured: str
    passed: bool | None


# Measured value in words, and whether it is within the bound.
_Measured: TypeAlias = tuple[str, bool]


def _first_audio_p50(run: Run, baseline_ms: float) -> _Measured:
    above_ms = run.samples.percentile("first_audio_ms", 0.5) - baseline_ms
    return f"{above_ms:+.1f} ms", above_ms <= ONE_DEVICE_ABOVE_BASELINE_MS


def _first_audio_p95(run: Run, baseline_ms: float) -> _Measured:
    p95_ms = run.samples.percentile("first_audio_ms", 0.95)
    return (
        f"{p95_ms:.0f} ms, {p95_ms / baseline_ms:.2f} ×",
        p95_ms <= MANY_DEVICES_OVER_BASELINE * baseline_ms,
    )


def _gaps(run: Run, _: float) -> _Measured:
    return f"{run.samples.gap_ratio:.1%}", run.samples.gap_ratio < GAP_RATIO


def _lost(run: Run, _: float) -> _Measured:
    return f"{len(run.samples.lost)} of {run.samples.all_turns}", not run.samples.lost


# Number of devices, what is wanted, how it is measured.
_BOUNDS: Final[Sequence[tuple[int, str, Callable[[Run, float], _Measured]]]] = (
    (
        1,
        f"1 device: first audio p50 at most {ONE_DEVICE_ABOVE_BASELINE_MS:.0f} ms above the baseline",
        _first_audio_p50,
    ),
    (
        MANY_DEVICES,
        f"{MANY_DEVICES} devices: first audio p95 at most {MANY_DEVICES_OVER_BASELINE} × the baseline's p50",
        _first_audio_p95,
    ),
    (MANY_DEVICES, f"{MANY_DEVICES} devices: turns with a gap under {GAP_RATIO:.0%}", _gaps),
    (MANY_DEVICES, f"{MANY_DEVICES} devices: no turn lost", _lost),
)


def judge(baseline: Samples, runs: Sequence[Run]) -> list[Verdict]:
    """Return a verdict for each bound; those of a number of devices that was not run say so."""
    baseline_ms = baseline.percentile("first_audio_ms", 0.5)
    by_devices = {run.devices: run for run in runs}
    verdicts = []
    for devices, wanted, measure in _BOUNDS:
        run = by_devices.get(devices)
        measured, passed = measure(run, baseline_ms) if run else (f"{devices} not run", None)
        verdicts.append(Verdict(wanted=wanted, measured=measured, passed=passed))
    largest = by_devices.get(MANY_DEVICES) or max(runs, key=lambda run: run.devices, default=None)
    return [*verdicts, _memory(runs), _cpu(largest)]


def _memory(runs: Sequence[Run]) -> Verdict:
    wanted = f"front, workers and beat: at most {MEMORY_MB:.0f} MB PSS"
    sizes = [size for run in runs if (size := run.our_pss_mb) is not None]
    if not sizes:
        return Verdict(wanted=wanted, measured="this system does not report PSS", passed=None)
    return Verdict(wanted=wanted, measured=f"{max(sizes):.0f} MB", passed=max(sizes) <= MEMORY_MB)


def _cpu(run: Run | None) -> Verdict:
    wanted = f"front, workers and beat: at most {CPU_MS_PER_TURN:.0f} ms of CPU a turn"
    if run is None:
        return Verdict(wanted=wanted, measured="nothing was run", passed=None)
    spent_ms = run.our_cpu_ms_per_turn
    measured = f"{spent_ms:.1f} ms with {run.devices} devices"
    return Verdict(wanted=wanted, measured=measured, passed=spent_ms <= CPU_MS_PER_TURN)
