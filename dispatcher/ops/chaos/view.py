"""The report of a run on the screen, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.ops.chaos.evaluation import FAILOVER_GOAL_S, PASSED, Judged, Verdict, verdict_of, worst
from dispatcher.ops.chaos.run import VerifyReport
from dispatcher.telemetry.kpi_table import label_of, value_text

STYLES: Final[dict[Verdict, str]] = {
    "pass": "green",
    "over target": "yellow",
    "alert": "bold red",
    "not judged": "dim",
}


def report_view(report: VerifyReport) -> RenderableType:
    """Return a row for each fault, a row for each figure, and the last word."""
    return Group(fault_table(report.judged), Text(""), figure_table(report.judged), Text(""), _end(report))


def fault_table(judged: Sequence[Judged]) -> Table:
    """Return what each fault did to the turns."""
    table = _table("fault", "what was done")
    for heading in ("turns", "hurt", "silent", "failover", "well after", "first audio p50/p95/max", "errors"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    for each in judged:
        table.add_row(*_fault_row(each))
    return table


def figure_table(judged: Sequence[Judged]) -> Table:
    """Return each figure: with nothing broken, and at its worst."""
    table = _table("figure")
    for heading in ("nothing broken", "at worst", "target", "alert"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("during", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for kpi in judged[0].figures if judged else ():
        found = worst(judged, kpi.name)
        bad, during = found or (kpi, "")
        table.add_row(
            Text(label_of(kpi.name), style="bold"),
            value_text(kpi.value, kpi.unit),
            value_text(bad.value, kpi.unit),
            value_text(kpi.target, kpi.unit),
            value_text(kpi.alert, kpi.unit),
            during,
            verdict_text(verdict_of(bad)),
        )
    return table


def verdict_text(verdict: Verdict) -> Text:
    """Return a verdict in its colour."""
    return Text(verdict, style=STYLES[verdict])


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
        "faults": [_fault_json(each) for each in report.judged],
        "turns": [asdict(turn) for turn in report.turns],
    }


def hurt_in(each: Judged) -> int:
    """Return how many turns of a window went without an answer."""
    return sum(each.counts.values()) - each.counts["answered"]


def _fault_json(each: Judged) -> dict[str, Any]:
    figures = [{**asdict(kpi), "verdict": verdict_of(kpi)} for kpi in each.figures]
    return {
        **asdict(each.window),
        "outcomes": dict(each.counts),
        "hurt": hurt_in(each),
        "failover_s": round(each.failover_s, 3),
        "slowest_first_audio_s": each.slowest_s,
        "problems": each.problems,
        "verdict": each.verdict,
        "figures": [] if each.window.skipped else figures,
    }


def _fault_row(each: Judged) -> tuple[str | Text, ...]:
    window = each.window
    if window.skipped:
        row = (window.skipped, "", "", "", "", "", "", "")
        return (Text(window.fault, style="bold"), *row, Text("not tried", style="dim"))
    silent = each.counts["silent"]
    p50, p95, errors = (each.figure(name) for name in ("first_audio_p50", "first_audio_p95", "errors"))
    return (
        Text(window.fault, style="bold"),
        window.what,
        str(sum(each.counts.values())),
        str(hurt_in(each)),
        Text(str(silent), style="bold red" if silent else ""),
        _failover(each),
        "never" if window.well_s is None else f"{window.well_s:.1f} s",
        f"{value_text(p50.value, 's')} / {value_text(p95.value, 's')} / {value_text(each.slowest_s, 's')}",
        value_text(errors.value, "ratio"),
        Text(each.verdict, style="green" if each.verdict == PASSED else "bold red"),
    )


def _failover(each: Judged) -> Text:
    is_good = each.failover_s <= FAILOVER_GOAL_S
    return Text(f"{each.failover_s:.1f} s", style="green" if is_good else "yellow")


def _end(report: VerifyReport) -> Text:
    down = ", ".join(report.down_before)
    down = f"; down before it began and not counted: {down}" if down else ""
    lasted_s = report.ended_at_s - report.began_at_s
    turns = f"{len(report.turns)} turns in {lasted_s:.0f} s{down}"
    if not report.problems:
        return Text(f"passed: {turns}, none silent", style="bold green")
    return Text("\n".join([f"failed: {turns}", *report.problems]), style="bold red")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    return table
