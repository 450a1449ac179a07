"""Report of a soak: on the screen, as JSON, and as a page with the plot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.ops.chaos.report_page import html_page, html_table
from dispatcher.ops.chaos.soak_plot import soak_plot
from dispatcher.ops.chaos.soak_rules import (
    AVAILABILITY_TARGET,
    GROWTH_LIMITS_PER_H,
    HIGHEST_RATIO,
    LOWEST_RATIO,
    MEMORY_SLOPE_LIMIT_MB_PER_H,
    SLOPES_JUDGED_FROM_S,
    SoakFigures,
)
from dispatcher.ops.chaos.soak_test import SoakReport
from dispatcher.terminal.figures import cells_of

TOO_SHORT: Final = f"slope not judged below {SLOPES_JUDGED_FROM_S / 60:.0f} minutes"


def soak_view(report: SoakReport) -> RenderableType:
    """Return the figures, the faults, and the last word."""
    failed = "\n".join(["failed", *report.problems])
    end = Text(failed, style="bold red") if report.problems else Text("passed", style="bold green")
    return Group(figures(report), Text(""), faults(report), Text(""), end)


def figures(report: SoakReport) -> Table:
    """Return each figure in words: its name, what was seen, what was wanted."""
    return _table(("figure", "seen", "wanted"), _figure_rows(report))


def faults(report: SoakReport) -> Table:
    """Return each fault in words: when it came, its name, what was done and how soon all was well."""
    return _table(("at", "fault", "seen"), _fault_rows(report))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _figure_rows(report: SoakReport) -> list[tuple[str, str, str]]:
    found = report.figures
    outcomes = ", ".join(f"{number} {name}" for name, number in found.turns.items() if number) or "no turn"
    reached = "never" if found.reached_s is None else f"{found.reached_s:.0f} s"
    band = f"{LOWEST_RATIO:.0%} to {HIGHEST_RATIO:.0%}"
    seconds = f"{_ratio(found.utilisation_p5)} / {_ratio(found.utilisation_p95)}"
    first = f"{_ms(found.first_audio_p50_ms)} / {_ms(found.first_audio_p95_ms)}"
    limit = f"below {MEMORY_SLOPE_LIMIT_MB_PER_H:.0f} MB an hour"
    return [
        ("availability", f"{_ratio(found.availability, 2)}: {outcomes}", f"{AVAILABILITY_TARGET:.1%}"),
        ("utilisation (CPU)", f"{_ratio(found.utilisation)}{_minutes(found)}", band),
        ("seconds p5 / p95", seconds, ""),
        ("reached after", f"{reached}, {found.most_devices} devices at most", ""),
        ("first audio p50 / p95", first, ""),
        ("memory of the stack", f"{found.memory_mb:.0f} MB; {_growth(report)}", limit),
        *_total_rows(report),
    ]


def _total_rows(report: SoakReport) -> Iterator[tuple[str, str, str]]:
    last = next((each.totals for each in reversed(report.samples) if each.totals), {})
    for name, slope in report.figures.slopes_per_h.items():
        limit = GROWTH_LIMITS_PER_H[name]
        wanted = "bounded by its length" if math.isinf(limit) else f"below {limit:.0f} an hour"
        grows = f"{slope:+.0f} an hour" if _is_long(report) else TOO_SHORT
        yield name, f"{last.get(name, 0.0):.0f}; {grows}", wanted


def _minutes(found: SoakFigures) -> str:
    if not found.minutes:
        return ""
    spread = f"{_ratio(min(found.minutes))} to {_ratio(max(found.minutes))}"
    return f"; minutes {spread}, {_ratio(found.in_band_ratio)} of them within"


def _growth(report: SoakReport) -> str:
    slope = report.figures.memory_slope_mb_per_h
    if slope is None or not _is_long(report):
        return TOO_SHORT
    return f"{slope:+.1f} MB an hour, {report.figures.steepest} most"


def _is_long(report: SoakReport) -> bool:
    return report.ended_at_s - report.began_at_s >= SLOPES_JUDGED_FROM_S


def soak_json(report: SoakReport) -> dict[str, Any]:
    """Return the report, JSON-ready; times are Unix seconds."""
    return {
        "passed": not report.problems,
        "problems": report.problems,
        "plan": asdict(report.plan),
        "began_at_s": report.began_at_s,
        "ended_at_s": report.ended_at_s,
        "figures": asdict(report.figures),
        "tables": {"": cells_of(figures(report))},
        "faults": [{"name": each.fault, **asdict(each)} for each in report.faults],
        "samples": [
            {
                "at_s": round(each.at_s, 2),
                "cpu_ratio": each.cpu_ratio,
                "devices": each.devices,
                "memory_mb": round(each.total_bytes / 1e6, 1),
                **each.totals,
            }
            for each in report.samples
        ],
        "turns": [asdict(turn) for turn in report.turns],
    }


def soak_page(report: SoakReport) -> str:
    """Return one HTML file that needs nothing else."""
    parts = {
        "Load": "<p>Red: a fault is in place. Green: 75 to 85 %. A red tick is a turn without an answer.</p>"
        + soak_plot(report),
        "Figures": html_table(figures(report)),
        "Faults": html_table(faults(report)),
    }
    lasted = f"{report.ended_at_s - report.began_at_s:.0f} s"
    return html_page("dispatcher verify --soak", report.began_at_s, lasted, report.problems, parts)


def _fault_rows(report: SoakReport) -> Iterator[tuple[str, str, str]]:
    for each in report.faults:
        at_s = int(each.began_at_s - report.began_at_s)
        well = "never well again" if each.well_s is None else f"well after {each.well_s:.1f} s"
        text = f"not tried: {each.skipped}" if each.skipped else f"{each.what}; {well}"
        yield f"{at_s // 60}:{at_s % 60:02d}", each.fault, text


def _ratio(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}%}"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
