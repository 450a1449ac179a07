"""The table of figures in `dispatcher status`: value, target, alert bound, and how the alert stands."""

from __future__ import annotations

import time
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.balancing.kpis import Kpi, Unit
from dispatcher.cli.supervisor.table import duration
from dispatcher.state.kpis import Board, Standing

STYLES: Final = {
    "ok": "green",
    "unknown": "dim",
    "few turns": "dim",
    "pending": "yellow",
    "firing": "bold red",
    "resolved": "cyan",
}
NOBODY: Final = "no figures yet: the control worker judges them every five seconds, driven by beat"
# Beyond this a value in seconds is read more easily than one in ms.
LONG_S: Final = 10.0


def kpi_view(board: Board | None, *, now_s: float | None = None) -> RenderableType:
    """Return the table as of a Unix time, now when left out; one line where nobody judges."""
    if board is None:
        return Text(NOBODY, style="yellow")
    now_s = time.time() if now_s is None else now_s
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure", no_wrap=True)
    for heading in ("value", "target", "alert"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("since", justify="right", no_wrap=True)
    table.add_column("detail")
    for standing in board.standings:
        table.add_row(*_row(standing, now_s))
    return table


def _row(standing: Standing, now_s: float) -> tuple[str | Text, ...]:
    kpi, state = standing.kpi, state_text(standing)
    is_off = kpi.value is not None and kpi.value > kpi.target
    return (
        Text(kpi.name, style="bold"),
        Text(value_text(kpi.value, kpi.unit), style="yellow" if is_off else ""),
        value_text(kpi.target, kpi.unit),
        value_text(kpi.alert, kpi.unit),
        Text(state, style=STYLES[state]),
        duration(max(0.0, now_s - standing.alert.since_s)),
        Text(kpi.detail),
    )


def state_text(standing: Standing) -> str:
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
