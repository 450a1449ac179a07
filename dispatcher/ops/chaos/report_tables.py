"""Report of a chaos test on the screen, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.ops.chaos.chaos_test import VerifyReport
from dispatcher.ops.chaos.evaluation import FAILOVER_GOAL_S, Evaluation, verdict_of, worst
from dispatcher.ops.chaos.report_rows import HEADINGS, VERDICT_GRADES, Grade, fault_cells
from dispatcher.ops.chaos.turn_outcomes import OUTCOMES
from dispatcher.telemetry.kpi_table import label_of, value_text
from dispatcher.terminal.figures import cells_of

GRADES: Final[dict[Grade, str]] = {
    "": "",
    "name": "bold",
    "good": "green",
    "fair": "yellow",
    "bad": "bold red",
    "dim": "dim",
}


def report_view(report: VerifyReport) -> RenderableType:
    """Return a row for each fault, a row for each figure, and the last word."""
    is_random = report.plan.seed is not None
    faults = outcome_table(report.evaluations) if is_random else fault_table(report.evaluations)
    return Group(faults, Text(""), figure_table(report.evaluations), Text(""), _end(report))


def fault_table(evaluations: Sequence[Evaluation]) -> Table:
    """Return the effect of each fault on the turns."""
    table = _table()
    for heading, is_number in HEADINGS.items():
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=is_number)
    for each in evaluations:
        table.add_row(*(Text(cell.text, style=GRADES[cell.grade]) for cell in fault_cells(each)))
    return table


def outcome_table(evaluations: Sequence[Evaluation]) -> Table:
    """Return the outcomes of the turns under each kind of fault, all times it came; of times the longest."""
    table = _table("fault")
    numbers = ("times", "turns", *OUTCOMES, "twice", "late", "back after", "well after")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    kinds = dict.fromkeys(each.window.fault for each in evaluations)
    for kind in kinds:
        table.add_row(
            Text(kind, style="bold"), *_outcome_cells([e for e in evaluations if e.window.fault == kind])
        )
    table.add_row(Text("all", style="bold"), *_outcome_cells(evaluations))
    return table


def _outcome_cells(evaluations: Sequence[Evaluation]) -> list[str]:
    tried = [each for each in evaluations if not each.window.skipped]
    if not tried:
        return ["not tried", *[""] * (len(OUTCOMES) + 5)]
    counts = [sum(each.counts[outcome] for each in tried) for outcome in OUTCOMES]
    wells = [each.window.well_s for each in tried]
    return [
        *(str(number) for number in (len(tried), sum(counts), *counts)),
        str(sum(each.repeated for each in tried)),
        str(sum(each.late for each in tried)),
        _longest([each.window.back_s for each in tried if each.window.back_s is not None]),
        "never" if None in wells else _longest([well_s for well_s in wells if well_s is not None]),
    ]


def _longest(times_s: Sequence[float]) -> str:
    return f"{max(times_s):.1f} s" if times_s else ""


def figure_table(evaluations: Sequence[Evaluation]) -> Table:
    """Return each figure: with nothing broken, and at its worst."""
    table = _table("figure")
    for heading in ("nothing broken", "at worst", "target", "alert"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("during", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for kpi in evaluations[0].figures if evaluations else ():
        found = worst(evaluations, kpi.name)
        bad, during = found or (kpi, "")
        verdict = verdict_of(bad)
        table.add_row(
            Text(label_of(kpi.name), style="bold"),
            value_text(kpi.value, kpi.unit),
            value_text(bad.value, kpi.unit),
            value_text(kpi.target, kpi.unit),
            value_text(kpi.alert, kpi.unit),
            during,
            Text(verdict, style=GRADES[VERDICT_GRADES[verdict]]),
        )
    return table


def as_json(report: VerifyReport) -> dict[str, Any]:
    """Return the report, JSON-ready; times are Unix seconds."""
    return {
        "passed": not report.problems,
        "problems": report.problems,
        "failover_goal_s": FAILOVER_GOAL_S,
        "plan": asdict(report.plan),
        "began_at_s": report.began_at_s,
        "ended_at_s": report.ended_at_s,
        "down_before": list(report.down_before),
        "repeated_utterances": report.repeated,
        "aftermath": asdict(report.aftermath),
        "tables": {
            "outcomes": cells_of(outcome_table(report.evaluations)),
            "figures": cells_of(figure_table(report.evaluations)),
        },
        "faults": [_fault_json(each) for each in report.evaluations],
        "turns": [asdict(turn) for turn in report.turns],
    }


def _fault_json(each: Evaluation) -> dict[str, Any]:
    figures = [{**asdict(kpi), "verdict": verdict_of(kpi)} for kpi in each.figures]
    return {
        **asdict(each.window),
        "outcomes": dict(each.counts),
        "hurt": each.failed_turns,
        "late": each.late,
        "spoken_twice": each.repeated,
        "failover_s": round(each.failover_s, 3),
        "slowest_first_audio_s": each.slowest_s,
        "problems": each.problems,
        "verdict": each.verdict,
        "figures": [] if each.window.skipped else figures,
    }


def _end(report: VerifyReport) -> Text:
    down = ", ".join(report.down_before)
    down = f"; down before it began and not counted: {down}" if down else ""
    lasted_s = report.ended_at_s - report.began_at_s
    answered = sum(not turn.is_failed for turn in report.turns) / max(1, len(report.turns))
    turns = f"{len(report.turns)} turns in {lasted_s:.0f} s, {answered:.2%} answered{down}"
    if not report.problems:
        return Text(f"passed: {turns}, none silent", style="bold green")
    return Text("\n".join([f"failed: {turns}", *report.problems]), style="bold red")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    return table
