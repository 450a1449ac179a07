"""Report of a soak: on the screen, as JSON, and as a page with one plot."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.ops.chaos.report_page import STYLE
from dispatcher.ops.chaos.soak_rules import (
    AVAILABILITY_TARGET,
    HIGHEST_RATIO,
    LOWEST_RATIO,
    MEMORY_JUDGED_FROM_S,
    MEMORY_SLOPE_LIMIT_MB_PER_H,
    SoakSample,
)
from dispatcher.ops.chaos.soak_test import SoakReport

WIDTH: Final = 1160
STRIP_HEIGHT: Final = 150
LEFT: Final = 70
GAP: Final = 34
MOST_PERCENT: Final = 100.0


def soak_view(report: SoakReport) -> RenderableType:
    """Return the figures as a table, a line for each fault, and the last word."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("figure", "seen", "wanted"):
        table.add_column(heading)
    for row in figure_rows(report):
        table.add_row(*row)
    faults = [Text(_fault_line(each)) for each in _fault_rows(report)]
    failed = "\n".join(["failed", *report.problems])
    end = Text(failed, style="bold red") if report.problems else Text("passed", style="bold green")
    return Group(table, Text(""), *faults, Text(""), end)


def figure_rows(report: SoakReport) -> list[tuple[str, str, str]]:
    """Return each figure in words: its name, what was seen, what was wanted."""
    found, lasted_s = report.figures, report.ended_at_s - report.began_at_s
    spread = f", p5 {_ratio(found.utilisation_p5)}, p95 {_ratio(found.utilisation_p95)}"
    in_band = f", {_ratio(found.in_band_ratio)} of the time within"
    judged = "" if lasted_s >= MEMORY_JUDGED_FROM_S else ", not judged below 30 minutes"
    slope = found.memory_slope_mb_per_h
    grows = "unknown" if slope is None else f"{slope:+.1f} MB an hour, {found.steepest} most"
    outcomes = ", ".join(f"{number} {name}" for name, number in found.turns.items() if number)
    first = f"{_ms(found.first_audio_p50_ms)} / {_ms(found.first_audio_p95_ms)}"
    reached = "never" if found.reached_s is None else f"{found.reached_s:.0f} s"
    return [
        (
            "availability",
            f"{_ratio(found.availability, 2)}: {outcomes or 'no turn'}",
            f"{AVAILABILITY_TARGET:.1%}",
        ),
        (
            "utilisation (CPU)",
            f"{_ratio(found.utilisation)}{spread}{in_band}",
            f"{LOWEST_RATIO:.0%} to {HIGHEST_RATIO:.0%}",
        ),
        ("reached after", f"{reached}, {found.most_devices} devices at most", ""),
        ("first audio p50 / p95", first, ""),
        (
            "memory of the stack",
            f"{found.memory_mb:.0f} MB; {grows}",
            f"below {MEMORY_SLOPE_LIMIT_MB_PER_H:.0f} MB an hour{judged}",
        ),
    ]


def soak_json(report: SoakReport) -> dict[str, Any]:
    """Return the report, JSON-ready; times are Unix seconds."""
    return {
        "passed": not report.problems,
        "problems": report.problems,
        "plan": asdict(report.plan),
        "began_at_s": report.began_at_s,
        "ended_at_s": report.ended_at_s,
        "figures": asdict(report.figures),
        "faults": [asdict(each) for each in report.faults],
        "samples": [
            {
                "at_s": round(each.at_s, 2),
                "cpu_ratio": each.cpu_ratio,
                "devices": each.devices,
                "memory_mb": round(each.total_bytes / 1e6, 1),
            }
            for each in report.samples
        ],
        "turns": [asdict(turn) for turn in report.turns],
    }


def soak_page(report: SoakReport) -> str:
    """Return one HTML file that needs nothing else."""
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(report.began_at_s))
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in figure_rows(report)
    )
    problems = html.escape("; ".join(report.problems))
    verdict = (
        f'<p class="verdict bad">Failed: {problems}</p>' if problems else '<p class="verdict">Passed</p>'
    )
    lasted_s = report.ended_at_s - report.began_at_s
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>dispatcher verify --soak, {began}</title><style>{STYLE}{SOAK_STYLE}</style></head><body>"
        f"<h1>dispatcher verify --soak</h1><p>{began}, {lasted_s:.0f} s</p>{verdict}"
        "<p>Red: a fault is in place. Green: 75 to 85 %. A red tick is a turn without an answer.</p>"
        f'{soak_plot(report)}<div class="wide"><table>{rows}</table></div></body></html>\n'
    )


SOAK_STYLE: Final = ".load{fill:none;stroke:var(--good);stroke-width:1.5}.lost{fill:var(--bad)}"


def soak_plot(report: SoakReport) -> str:
    """Return CPU, devices and memory over time as one SVG."""
    strips: list[tuple[str, float, Callable[[SoakSample], float | None]]] = [
        (
            "CPU %",
            MOST_PERCENT,
            lambda each: None if each.cpu_ratio is None else each.cpu_ratio * MOST_PERCENT,
        ),
        ("devices", max(1.0, report.figures.most_devices * 1.1), lambda each: each.devices),
        (
            "memory MB",
            max(1.0, *(each.total_bytes / 1e6 * 1.1 for each in report.samples), 1.0),
            lambda each: each.total_bytes / 1e6,
        ),
    ]
    parts = [
        part
        for index, (name, top, value) in enumerate(strips)
        for part in _strip(report, name, top, value, y=GAP + index * (STRIP_HEIGHT + GAP))
    ]
    height = GAP + len(strips) * (STRIP_HEIGHT + GAP)
    label = "CPU, devices and memory over time; faults are shaded."
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _strip(
    report: SoakReport, name: str, top: float, value: Callable[[SoakSample], float | None], *, y: float
) -> Iterator[str]:
    """Yield one curve on its own axis, over the faults."""

    def y_of(number: float) -> float:
        return y + STRIP_HEIGHT * (1 - min(1.0, number / top))

    if top == MOST_PERCENT:
        low, high = y_of(LOWEST_RATIO * MOST_PERCENT), y_of(HIGHEST_RATIO * MOST_PERCENT)
        yield _rect("calm", LEFT, high, WIDTH - LEFT - 10, low - high) + "</rect>"
    yield from _events(report, y)
    for share in (0.0, 0.5, 1.0):
        at = y_of(top * share)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 10}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text class="axis" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{top * share:.0f}</text>'
    yield f'<text class="name" x="{LEFT}" y="{y - 6}">{name}</text>'
    points = " ".join(
        f"{_x(report, each.at_s):.1f},{y_of(number):.1f}"
        for each in report.samples
        if (number := value(each)) is not None
    )
    yield f'<polyline class="load" points="{points}"/>'


def _events(report: SoakReport, y: float) -> Iterator[str]:
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


def _x(report: SoakReport, at_s: float) -> float:
    span_s = max(1.0, report.ended_at_s - report.began_at_s)
    return LEFT + (at_s - report.began_at_s) / span_s * (WIDTH - LEFT - 10)


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'


def _fault_rows(report: SoakReport) -> Sequence[tuple[float, str, str]]:
    return [
        (
            each.began_at_s - report.began_at_s,
            each.name,
            f"not tried: {each.skipped}"
            if each.skipped
            else f"{each.what}; "
            + ("never well again" if each.well_s is None else f"well after {each.well_s:.1f} s"),
        )
        for each in report.faults
    ]


def _fault_line(row: tuple[float, str, str]) -> str:
    at_s, name, text = row
    return f"{int(at_s) // 60}:{int(at_s) % 60:02d}  {name}: {text}"


def _ratio(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}%}"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
