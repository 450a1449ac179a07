"""Plot of a soak as one SVG: CPU, devices and memory over time, with faults and turns without an answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from dispatcher.ops.chaos.plot_axes import LEFT, RIGHT, WIDTH, TimeAxis, grid_line, rect, svg
from dispatcher.ops.chaos.soak_rules import HIGHEST_RATIO, LOWEST_RATIO, minute_means
from dispatcher.ops.chaos.soak_test import SoakReport

STRIP_HEIGHT: Final = 150
GAP: Final = 34
MOST_PERCENT: Final = 100.0
Curve: TypeAlias = Sequence[tuple[float, float]]


def soak_plot(report: SoakReport) -> str:
    """Return the SVG, in the colours of the page's style sheet."""
    cpu = [(s.at_s, s.cpu_ratio * MOST_PERCENT) for s in report.samples if s.cpu_ratio is not None]
    minutes = [(at_s, ratio * MOST_PERCENT) for at_s, ratio in minute_means(report.samples)]
    devices = [(each.at_s, float(each.devices)) for each in report.samples]
    memory = [(each.at_s, each.total_bytes / 1e6) for each in report.samples]
    strips: dict[str, Sequence[Curve]] = {
        "CPU %, of each second and of each minute": [cpu, minutes],
        "devices": [devices],
        "memory MB": [memory],
        **{name: [_total(report, name)] for name in report.figures.slopes_per_h},
    }
    drawn = (_strip(report, *strip, _strip_top(at)) for at, strip in enumerate(strips.items()))
    parts = [
        *_band(_strip_top(0)),
        *(part for strip in drawn for part in strip),
        *_axis(report).labels(_strip_top(len(strips) - 1) + STRIP_HEIGHT + 18),
    ]
    label = "CPU, devices, memory and totals over time; faults are shaded."
    return svg(_strip_top(len(strips)), label, parts)


def axis_top(highest: float) -> float:
    """Return an even round number that is not below the highest value: 2, 4, 6, 10, 20 and so on."""
    scale: float = 10 ** max(0, math.floor(math.log10(max(1.0, highest))))
    return next(step * scale for step in (1, 2, 4, 6, 10) if step * scale >= max(2.0, highest))


def _axis(report: SoakReport) -> TimeAxis:
    return TimeAxis(report.began_at_s, report.ended_at_s)


def _total(report: SoakReport, name: str) -> Curve:
    return [(each.at_s, each.totals[name]) for each in report.samples if name in each.totals]


def _strip_top(index: int) -> int:
    return GAP + index * (STRIP_HEIGHT + GAP)


def _band(y: int) -> Iterator[str]:
    """Yield the load that is wanted."""
    top, bottom = (y + STRIP_HEIGHT * (1 - ratio) for ratio in (HIGHEST_RATIO, LOWEST_RATIO))
    yield rect("calm", LEFT, top, WIDTH - LEFT - RIGHT, bottom - top)


def _strip(report: SoakReport, name: str, curves: Sequence[Curve], y: int) -> Iterator[str]:
    """Yield curves on one axis, over the faults; of two the first one is faint."""
    x, top = _axis(report).x, axis_top(max((value for curve in curves for _, value in curve), default=0.0))
    yield from _events(report, y)
    for share in (0.0, 0.5, 1.0):
        yield grid_line(y + STRIP_HEIGHT * (1 - share), f"{top * share:.0f}")
    yield f'<text class="name" x="{LEFT}" y="{y - 6}">{name}</text>'
    for curve in curves:
        kind = "load second" if len(curves) > 1 and curve is curves[0] else "load"
        points = " ".join(
            f"{x(at_s):.1f},{y + STRIP_HEIGHT * (1 - value / top):.1f}" for at_s, value in curve
        )
        yield f'<polyline class="{kind}" points="{points}"/>'


def _events(report: SoakReport, y: int) -> Iterator[str]:
    """Yield a band for each fault, and a tick for each turn without an answer."""
    x = _axis(report).x
    for each in report.faults:
        if not each.skipped:
            left, right = x(each.began_at_s), x(each.undone_at_s)
            title = f"{each.fault}: {each.what}"
            yield rect("fault", left, y, max(1.0, right - left), STRIP_HEIGHT, title=title)
    for turn in report.turns:
        if turn.is_failed:
            yield rect("lost", x(turn.asked_at_s), y + STRIP_HEIGHT - 8, 2, 8)
