"""Rows of the report of a chaos test, graded, for the screen and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from dispatcher.ops.chaos.evaluation import FAILOVER_GOAL_S, PASSED, Evaluation, Verdict
from dispatcher.telemetry.kpi_table import value_text

Grade: TypeAlias = Literal["", "name", "good", "fair", "bad", "dim"]
VERDICT_GRADES: Final[Mapping[Verdict, Grade]] = {
    "pass": "good",
    "over target": "fair",
    "alert": "bad",
    "not judged": "dim",
}
# Each heading, and whether numbers stand below it.
HEADINGS: Final[Mapping[str, bool]] = {
    "fault": False,
    "what was done": False,
    "turns": True,
    "unanswered": True,
    "silent": True,
    "failover": True,
    "well after": True,
    "first audio p50/p95/max": True,
    "errors": True,
    "verdict": False,
}


class Cell(NamedTuple):
    """Text of a table and its grade."""

    text: str
    grade: Grade = ""


def fault_cells(each: Evaluation) -> tuple[Cell, ...]:
    """Return the row of a fault, a cell for each heading."""
    window = each.window
    if window.skipped:
        empty = [Cell("")] * (len(HEADINGS) - 3)
        return Cell(window.fault, "name"), Cell(window.skipped, "dim"), *empty, Cell("not tried", "dim")
    silent = each.counts["silent"]
    p50, p95, errors = (each.figure(name) for name in ("first_audio_p50", "first_audio_p95", "errors"))
    first_audio = " / ".join(value_text(value, "s") for value in (p50.value, p95.value, each.slowest_s))
    return (
        Cell(window.fault, "name"),
        Cell(window.what),
        Cell(str(sum(each.counts.values()))),
        Cell(str(each.failed_turns)),
        Cell(str(silent), "bad" if silent else ""),
        Cell(f"{each.failover_s:.1f} s", "good" if each.failover_s <= FAILOVER_GOAL_S else "fair"),
        Cell("never" if window.well_s is None else f"{window.well_s:.1f} s"),
        Cell(first_audio),
        Cell(value_text(errors.value, "ratio")),
        Cell(each.verdict, "good" if each.verdict == PASSED else "bad"),
    )
