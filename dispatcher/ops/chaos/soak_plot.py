"""Plot of a soak as one SVG: CPU, devices and memory over time, with faults and turns without an answer."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from dispatcher.ops.chaos.soak_rules import HIGHEST_RATIO, LOWEST_RATIO, minute_means
from dispatcher.ops.chaos.soak_test import SoakReport

WIDTH: Final = 1160
STRIP_HEIGHT: Final = 150
LEFT: Final = 70
RIGHT: Final = 10
GAP: Final = 34
MOST_PERCENT: Final = 100.0
MOST_TIMES: Final = 10
TIME_STEPS_S: Final = (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400)
SOAK_STYLE: Final = """
.load{fill:none;stroke:var(--good);stroke-width:1.5}.second{stroke-width:.7;opacity:.4}.lost{fill:var(--bad)}
"""
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
        *_times(report, _strip_top(len(strips) - 1) + STRIP_HEIGHT + 18),
    ]
    label = "CPU, devices, memory and totals over time; faults are shaded."
    return (
        f'<svg viewBox="0 0 {WIDTH} {_strip_top(len(strips))}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def axis_top(highest: float) -> float:
    """Return an even round number that is not below the highest value: 2, 4, 6, 10, 20 and so on."""
    scale: float = 10 ** max(0, math.floor(math.log10(max(1.0, highest))))
    return next(step * scale for step in (1, 2, 4, 6, 10) if step * scale >= max(2.0, highest))


def _total(report: SoakReport, name: str) -> Curve:
    return [(each.at_s, each.totals[name]) for each in report.samples if name in each.totals]


def _strip_top(index: int) -> int:
    return GAP + index * (STRIP_HEIGHT + GAP)


def _band(y: int) -> Iterator[str]:
    """Yield the load that is wanted."""
    top, bottom = (y + STRIP_HEIGHT * (1 - ratio) for ratio in (HIGHEST_RATIO, LOWEST_RATIO))
    yield _rect("calm", LEFT, top, WIDTH - LEFT - RIGHT, bottom - top) + "</rect>"


def _strip(report: SoakReport, name: str, curves: Sequence[Curve], y: int) -> Iterator[str]:
    """Yield curves on one axis, over the faults; of two the first one is faint."""
    top = axis_top(max((value for curve in curves for _, value in curve), default=0.0))
    yield from _events(report, y)
    for share in (0.0, 0.5, 1.0):
        at = y + STRIP_HEIGHT * (1 - share)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text class="axis" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{top * share:.0f}</text>'
    yield f'<text class="name" x="{LEFT}" y="{y - 6}">{name}</text>'
    for curve in curves:
        kind = "load second" if len(curves) > 1 and curve is curves[0] else "load"
        points = " ".join(
            f"{_x(report, at_s):.1f},{y + STRIP_HEIGHT * (1 - value / top):.1f}" for at_s, value in curve
        )
        yield f'<polyline class="{kind}" points="{points}"/>'


def _events(report: SoakReport, y: int) -> Iterator[str]:
    """Yield a band for each fault, and a tick for each turn without an answer."""
    for each in report.faults:
        if not each.skipped:
            left, right = _x(report, each.began_at_s), _x(report, each.undone_at_s)
            title = html.escape(f"{each.name}: {each.what}")
            band = _rect("fault", left, y, max(1.0, right - left), STRIP_HEIGHT)
            yield f"{band}<title>{title}</title></rect>"
    for turn in report.turns:
        if turn.is_failed:
            yield _rect("lost", _x(report, turn.asked_at_s), y + STRIP_HEIGHT - 8, 2, 8) + "</rect>"


def _times(report: SoakReport, y: int) -> Iterator[str]:
    """Yield the labels of the axis of time."""
    span_s = report.ended_at_s - report.began_at_s
    fitting = (each for each in TIME_STEPS_S if span_s / each <= MOST_TIMES)
    step_s = next(fitting, TIME_STEPS_S[-1])
    for at_s in range(0, int(span_s) + 1, step_s):
        x = _x(report, report.began_at_s + at_s)
        text = f"{at_s // 60}:{at_s % 60:02d}"
        yield f'<text class="axis" x="{x:.1f}" y="{y}" text-anchor="middle">{text}</text>'


def _x(report: SoakReport, at_s: float) -> float:
    span_s = max(1.0, report.ended_at_s - report.began_at_s)
    return LEFT + (at_s - report.began_at_s) / span_s * (WIDTH - LEFT - RIGHT)


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
