"""Figures of a soak: how many devices hold the load, and what the samples and turns of a run show."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import linear_regression, mean
from typing import Final

from dispatcher.ops.chaos.turn_outcomes import DeviceTurn, Outcome, Window, count
from dispatcher.percentile import percentile

LOWEST_RATIO: Final = 0.75
HIGHEST_RATIO: Final = 0.85
WANTED_RATIO: Final = 0.80
# A step changes the number of devices by so much at most: what the last one did shows after a turn or two.
MOST_GROWTH: Final = 1.5
LEAST_GROWTH: Final = 0.8
AVAILABILITY_TARGET: Final = 0.995
# A box of 8 GB must last for weeks; shorter runs say nothing of a slope.
MEMORY_SLOPE_LIMIT_MB_PER_H: Final = 20.0
SLOPES_JUDGED_FROM_S: Final = 1_800.0
# What may grow by so much an hour: less than that is the noise of devices that come and go. Streams grow
# for hours, up to their bound.
GROWTH_LIMITS_PER_H: Final[Mapping[str, float]] = {
    "descriptors": 60.0,
    "threads": 20.0,
    "keys": 200.0,
    "stream entries": math.inf,
    "files MB": 200.0,
}
FEWEST_SAMPLES: Final = 5
# A second in which three people speak at once says nothing of a load; a minute does.
LOAD_WINDOW_S: Final = 60.0
FEWEST_TURNS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakSample:
    """Load at one moment of Unix time.

    Attributes:
        cpu_ratio: share of the host's CPU in use since the sample before, 0..1; None where it is unknown.
        memory_bytes: resident memory of each process of the stack, by name and process id.
        totals: of the whole stack and its Redis, by the names of `GROWTH_LIMITS_PER_H`.
        is_held: no fault is in place, and the number of devices is set by the load.
    """

    at_s: float
    cpu_ratio: float | None
    devices: int
    memory_bytes: Mapping[tuple[str, int], int]
    totals: Mapping[str, float] = field(default_factory=dict)
    is_held: bool = True

    @property
    def total_bytes(self) -> int:
        """Memory of all of them."""
        return sum(self.memory_bytes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakFigures:
    """What a run shows.

    Attributes:
        availability: share of the turns that were answered, 0..1; None without turns.
        utilisation: mean CPU once the load was reached, 0..1; `p5` and `p95` of single seconds beside it.
        minutes: mean CPU of each minute since then; what is less than half of one is left out.
        in_band_ratio: share of these minutes between 75 and 85 %.
        reached_s: from the start until then; None where it never was.
        slopes_per_h: of each total.
        memory_slope_mb_per_h: of all processes together, each over its longest life in the run.
    """

    availability: float | None
    turns: Mapping[Outcome, int]
    first_audio_p50_ms: float | None
    first_audio_p95_ms: float | None
    utilisation: float | None
    utilisation_p5: float | None
    utilisation_p95: float | None
    minutes: tuple[float, ...]
    in_band_ratio: float | None
    reached_s: float | None
    most_devices: int
    memory_mb: float
    memory_slope_mb_per_h: float | None
    steepest: str
    slopes_per_h: Mapping[str, float] = field(default_factory=dict)


def next_devices(now: int, cpu_ratio: float, *, most: int) -> int:
    """Return how many devices are to talk, from the mean load of the last step; never fewer than one."""
    if LOWEST_RATIO <= cpu_ratio <= HIGHEST_RATIO:
        return now
    wanted = now * min(MOST_GROWTH, max(LEAST_GROWTH, WANTED_RATIO / max(cpu_ratio, 0.01)))
    step = max(now + 1, round(wanted)) if cpu_ratio < LOWEST_RATIO else min(now - 1, round(wanted))
    return max(1, min(most, step))


def soak_figures(
    samples: Sequence[SoakSample], turns: Sequence[DeviceTurn], *, began_at_s: float
) -> SoakFigures:
    """Return the figures of a run."""
    counts = count(turns)
    heard = [turn.first_audio_ms for turn in turns if turn.first_audio_ms is not None]
    reached_at_s = next((each.at_s for each in samples if (each.cpu_ratio or 0.0) >= LOWEST_RATIO), None)
    since = [each for each in samples if reached_at_s is not None and each.at_s >= reached_at_s]
    load = [each.cpu_ratio for each in since if each.cpu_ratio is not None]
    minutes = tuple(ratio for _, ratio in minute_means(since))
    slopes = memory_slopes(samples)
    return SoakFigures(
        availability=counts["answered"] / len(turns) if turns else None,
        turns=counts,
        first_audio_p50_ms=percentile(heard, 0.5),
        first_audio_p95_ms=percentile(heard, 0.95),
        utilisation=mean(load) if load else None,
        utilisation_p5=percentile(load, 0.05),
        utilisation_p95=percentile(load, 0.95),
        minutes=minutes,
        in_band_ratio=mean(LOWEST_RATIO <= each <= HIGHEST_RATIO for each in minutes) if minutes else None,
        reached_s=None if reached_at_s is None else reached_at_s - began_at_s,
        most_devices=max((each.devices for each in samples), default=0),
        memory_mb=samples[-1].total_bytes / 1e6 if samples else 0.0,
        memory_slope_mb_per_h=sum(slopes.values()) if slopes else None,
        steepest=max(slopes, key=lambda name: slopes[name], default=""),
        slopes_per_h=total_slopes(samples),
    )


def minute_means(samples: Sequence[SoakSample]) -> list[tuple[float, float]]:
    """Return the middle of each minute and its mean CPU; half of one counts, less does not."""
    if not samples:
        return []
    began_at_s = samples[0].at_s
    windows: defaultdict[int, list[SoakSample]] = defaultdict(list)
    for each in samples:
        if each.cpu_ratio is not None:
            windows[int((each.at_s - began_at_s) // LOAD_WINDOW_S)].append(each)
    lasted_s = samples[-1].at_s - began_at_s
    return [
        (mean(each.at_s for each in window), mean(each.cpu_ratio or 0.0 for each in window))
        for index, window in windows.items()
        if lasted_s - index * LOAD_WINDOW_S >= LOAD_WINDOW_S / 2
    ]


def memory_slopes(samples: Sequence[SoakSample]) -> dict[str, float]:
    """Return how fast each process grows, MB an hour, over the longest life that it had in the run.

    The first third of a life is left out: pools, caches and models fill up then.
    """
    lives: defaultdict[tuple[str, int], list[tuple[float, int]]] = defaultdict(list)
    for sample in samples:
        for life, used in sample.memory_bytes.items():
            lives[life].append((sample.at_s, used))
    longest: dict[str, list[tuple[float, int]]] = {}
    for (name, _), points in lives.items():
        longest[name] = max(longest.get(name, []), points[len(points) // 3 :], key=len)
    return {
        name: linear_regression(*zip(*points, strict=True)).slope * 3600 / 1e6
        for name, points in longest.items()
        if len(points) >= FEWEST_SAMPLES
    }


def total_slopes(samples: Sequence[SoakSample]) -> dict[str, float]:
    """Return how fast each total grows in an hour; the first third is left out, for the same reason."""
    settled = samples[len(samples) // 3 :]
    points = {
        name: [(each.at_s, each.totals[name]) for each in settled if name in each.totals]
        for name in GROWTH_LIMITS_PER_H
    }
    return {
        name: linear_regression(*zip(*found, strict=True)).slope * 3600
        for name, found in points.items()
        if len(found) >= FEWEST_SAMPLES
    }


def soak_problems(figures: SoakFigures, faults: Sequence[Window], *, lasted_s: float) -> list[str]:
    """Return what makes a run fail, in words."""
    problems = [
        f"{each.fault}: not well again in time" for each in faults if not each.skipped and each.well_s is None
    ]
    if silent := figures.turns.get("silent", 0) + figures.turns.get("disconnected", 0):
        problems.append(f"{silent} silent turn{'s' if silent > 1 else ''}")
    total = sum(figures.turns.values())
    # One unanswered turn of fewer than 200 is already more than half a percent; two are no accident.
    is_judged = total >= FEWEST_TURNS or total - figures.turns.get("answered", 0) > 1
    if figures.availability is not None and figures.availability < AVAILABILITY_TARGET and is_judged:
        problems.append(f"availability {figures.availability:.2%} of {AVAILABILITY_TARGET:.1%}")
    if not total:
        problems.append("no turn at all")
    if figures.utilisation is None or not LOWEST_RATIO <= figures.utilisation <= HIGHEST_RATIO:
        seen = "never reached" if figures.utilisation is None else f"{figures.utilisation:.0%}"
        problems.append(f"utilisation {seen}, not {LOWEST_RATIO:.0%} to {HIGHEST_RATIO:.0%}")
    return problems + (_growth_problems(figures) if lasted_s >= SLOPES_JUDGED_FROM_S else [])


def _growth_problems(figures: SoakFigures) -> list[str]:
    memory = figures.memory_slope_mb_per_h
    problems = [
        f"{name} grow by {slope:.0f} an hour"
        for name, slope in figures.slopes_per_h.items()
        if slope > GROWTH_LIMITS_PER_H[name]
    ]
    if memory is not None and memory > MEMORY_SLOPE_LIMIT_MB_PER_H:
        problems.append(f"memory grows by {memory:.0f} MB an hour, {figures.steepest} most")
    return problems
