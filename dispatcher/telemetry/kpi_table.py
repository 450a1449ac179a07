"""The table of figures in `dispatcher status`: value, target, alert bound, and how the alert stands."""

from __future__ import annotations

import time
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final, Literal

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.kpis.kpi_rules import Kpi, Unit
from dispatcher.telemetry.kpi_store import KpiSnapshot, KpiStatus
from dispatcher.terminal.console import duration
from dispatcher.terminal.responsive_table import ResponsiveTable

STYLES: Final = {
    "ok": "green",
    "unknown": "dim",
    "few turns": "dim",
    "pending": "yellow",
    "firing": "bold red",
    "resolved": "cyan",
}
# Names of figures are keys of the YAML and of --json; some count the opposite of what they say.
LABELS: Final = {
    "share": "calls off weight",
    "instances_healthy": "instances unhealthy",
    "own_share": "our own time p99",
}
# What a narrow terminal does without, the first first.
HEADINGS: Final = ("figure", "value", "target", "alert", "state", "since", "detail")
NUMBERS: Final = frozenset({"value", "target", "alert", "since"})
DETAIL_WIDTH: Final = 8
SPARE: Final = ("since", "target", "alert", "detail")
NOBODY: Final = "no figures yet: the control worker judges them every five seconds, driven by beat"
# Beyond this a value in seconds is read more easily than one in ms.
LONG_S: Final = 10.0


def kpi_view(board: KpiSnapshot | None, *, now_s: float | None = None) -> RenderableType:
    """Return the table as of a Unix time, now when left out; one line where nobody judges."""
    if board is None:
        return Text(NOBODY, style="yellow")
    now_s = time.time() if now_s is None else now_s
    return ResponsiveTable(partial(_table, board, now_s), spare=SPARE, may_fold=True)


def _table(board: KpiSnapshot, now_s: float, left_out: AbstractSet[str]) -> tuple[Table]:
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [index for index, heading in enumerate(HEADINGS) if heading not in left_out]
    for index in shown:
        justify: Literal["left", "right"] = "right" if HEADINGS[index] in NUMBERS else "left"
        folds = HEADINGS[index] == "detail"
        table.add_column(
            HEADINGS[index], justify=justify, no_wrap=not folds, min_width=DETAIL_WIDTH if folds else None
        )
    for standing in board.standings:
        row = _row(standing, now_s)
        table.add_row(*(row[index] for index in shown))
    return (table,)


def _row(standing: KpiStatus, now_s: float) -> tuple[str | Text, ...]:
    kpi, state = standing.kpi, state_text(standing)
    is_off = kpi.value is not None and kpi.value > kpi.target
    return (
        Text(label_of(kpi.name), style="bold"),
        Text(value_text(kpi.value, kpi.unit), style="yellow" if is_off else ""),
        value_text(kpi.target, kpi.unit),
        value_text(kpi.alert, kpi.unit),
        Text(state, style=STYLES[state]),
        duration(max(0.0, now_s - standing.alert.since_s)),
        Text(kpi.detail),
    )


def label_of(name: str) -> str:
    """Return what a figure counts, in words; the name itself where that says it."""
    return LABELS.get(name, name)


def state_text(standing: KpiStatus) -> str:
    """Return the phase of the alert, or why nothing can be said."""
    kpi, phase = standing.kpi, standing.alert.phase
    if phase != "ok":
        return phase
    return "unknown" if kpi.value is None else _when_quiet(kpi)


def _when_quiet(kpi: Kpi) -> str:
    return "ok" if kpi.judged else "few turns"


def value_text(value: float | None, unit: Unit) -> str:
    """Return a value as it is read: shares in %, short times in ms; a dash where nothing is known."""
    if value is None:
        return "–"
    if unit == "ratio":
        return f"{value * 100:.1f} %"
    if unit == "count":
        return f"{value:g}"
    return f"{value * 1000:.0f} ms" if value < LONG_S else f"{value:.0f} s"
