"""Table of KPIs in `dispatcher status`: value, target, alert bound, and the phase of the alert."""

from __future__ import annotations

import time
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from dispatcher.kpis.kpi_rules import Unit
from dispatcher.telemetry.kpi_store import KpiSnapshot, KpiStatus
from dispatcher.terminal.console import duration
from dispatcher.terminal.tables import Column, ResponsiveTable, table_of

ALERT_STYLES: Final = {
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
DETAIL_WIDTH: Final = 8
SPARE_KPI_COLUMNS: Final = ("since", "target", "alert", "detail")
NO_SNAPSHOT: Final = "no figures yet: the control worker judges them every five seconds, driven by beat"
# Beyond this a value in seconds is read more easily than one in ms.
LONG_S: Final = 10.0


def kpi_view(snapshot: KpiSnapshot | None, *, now_s: float | None = None) -> RenderableType:
    """Return the table as of a Unix time, now when left out; one line where nothing is evaluated."""
    if snapshot is None:
        return Text(NO_SNAPSHOT, style="yellow")
    columns = _columns(time.time() if now_s is None else now_s)
    return ResponsiveTable(
        lambda left_out: (table_of(snapshot.standings, columns, left_out=left_out),),
        spare=SPARE_KPI_COLUMNS,
        may_fold=True,
    )


def _columns(now_s: float) -> tuple[Column[KpiStatus], ...]:
    return (
        Column("figure", lambda each: Text(label_of(each.kpi.name), style="bold")),
        Column("value", _value, "right"),
        Column("target", lambda each: value_text(each.kpi.target, each.kpi.unit), "right"),
        Column("alert", lambda each: value_text(each.kpi.alert, each.kpi.unit), "right"),
        Column("state", lambda each: Text(state_text(each), style=ALERT_STYLES[state_text(each)])),
        Column("since", lambda each: duration(max(0.0, now_s - each.alert.since_s)), "right"),
        Column("detail", lambda each: Text(each.kpi.detail), folds=True, min_width=DETAIL_WIDTH),
    )


def _value(status: KpiStatus) -> Text:
    kpi = status.kpi
    is_off = kpi.value is not None and kpi.value > kpi.target
    return Text(value_text(kpi.value, kpi.unit), style="yellow" if is_off else "")


def label_of(name: str) -> str:
    """Return what a figure counts, in words; the name itself where that says it."""
    return LABELS.get(name, name)


def state_text(status: KpiStatus) -> str:
    """Return the phase of the alert, or why nothing can be said."""
    kpi, phase = status.kpi, status.alert.phase
    if phase != "ok":
        return phase
    if kpi.value is None:
        return "unknown"
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
