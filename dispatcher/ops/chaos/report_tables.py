"""Report of a chaos test on the screen, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.ops.chaos.chaos_test import VerifyReport
from dispatcher.ops.chaos.evaluation import FAILOVER_GOAL_S, PASSED, Evaluation, Verdict, verdict_of, worst
from dispatcher.ops.chaos.turn_outcomes import OUTCOMES
from dispatcher.telemetry.kpi_table import label_of, value_text
from dispatcher.terminal.figures import cells_of

GOOD: Final = "green"
FAIR: Final = "yellow"
BAD: Final = "bold red"
DIM: Final = "dim"
NAME: Final = "bold"
VERDICT_STYLES: Final[Mapping[Verdict, str]] = {
    "pass": GOOD,
    "over target": FAIR,
    "alert": BAD,
    "not judged": DIM,
}
FAULT_NUMBERS: Final = (
    *("turns", "unanswered", "silent", "failover", "well after"),
    *("first audio p50/p95/max", "errors"),
)


def report_view(report: VerifyReport) -> RenderableType:
    """Return a row for each fault, a row for each figure, and the last word."""
    is_random = report.plan.seed is not None
    faults = outcome_table(report.evaluations) if is_random else fault_table(report.evaluations)
    return Group(faults, Text(""), figure_table(report.evaluations), Text(""), _end(report))


def fault_table(evaluations: Sequence[Evaluation]) -> Table:
    """Return the effect of each fault on the turns."""
    table = _table("fault", "what was done", numbers=FAULT_NUMBERS)
    table.add_column("verdict")
    for each in evaluations:
        name, skipped = Text(each.window.fault, style=NAME), each.window.skipped
        if skipped:
            empty = [""] * len(FAULT_NUMBERS)
            table.add_row(name, Text(skipped, style=DIM), *empty, Text("not tried", style=DIM))
        else:
            table.add_row(name, Text(each.window.what), *_fault_numbers(each), _verdict(each))
    return table


def _fault_numbers(each: Evaluation) -> list[Text]:
    silent, well_s = each.counts["silent"], each.window.well_s
    p50, p95, errors = (each.figure(name) for name in ("first_audio_p50", "first_audio_p95", "errors"))
    first_audio = " / ".join(value_text(value, "s") for value in (p50.value, p95.value, each.slowest_s))
    return [
        Text(str(sum(each.counts.values()))),
        Text(str(each.failed_turns)),
        Text(str(silent), style=BAD if silent else ""),
        Text(f"{each.failover_s:.1f} s", style=GOOD if each.failover_s <= FAILOVER_GOAL_S else FAIR),
        Text("never" if well_s is None else f"{well_s:.1f} s"),
        Text(first_audio),
        Text(value_text(errors.value, "ratio")),
    ]


def _verdict(each: Evaluation) -> Text:
    return Text(each.verdict, style=GOOD if each.verdict == PASSED else BAD)


def outcome_table(evaluations: Sequence[Evaluation]) -> Table:
    """Return the outcomes of the turns under each kind of fault, all times it came; of times the longest."""
    numbers = ("times", "turns", *OUTCOMES, "twice", "late", "back after", "well after")
    table = _table("fault", numbers=numbers)
    kinds = dict.fromkeys(each.window.fault for each in evaluations)
    for kind in kinds:
        table.add_row(
            Text(kind, style=NAME), *_outcome_cells([e for e in evaluations if e.window.fault == kind])
        )
    table.add_row(Text("all", style=NAME), *_outcome_cells(evaluations))
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
    table = _table("figure", numbers=("nothing broken", "at worst", "target", "alert"))
    table.add_column("during", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for kpi in evaluations[0].figures if evaluations else ():
        found = worst(evaluations, kpi.name)
        bad, during = found or (kpi, "")
        verdict = verdict_of(bad)
        table.add_row(
            Text(label_of(kpi.name), style=NAME),
            value_text(kpi.value, kpi.unit),
            value_text(bad.value, kpi.unit),
            value_text(kpi.target, kpi.unit),
            value_text(kpi.alert, kpi.unit),
            during,
            Text(verdict, style=VERDICT_STYLES[verdict]),
        )
    return table


def figure_matrix(evaluations: Sequence[Evaluation]) -> Table:
    """Return each figure under each fault that was tried."""
    tried = [each for each in evaluations if not each.window.skipped]
    faults = [Text(each.window.fault) for each in tried]
    table = _table("figure", numbers=("target / alert", *faults))
    for kpi in tried[0].figures if tried else ():
        bounds = f"{value_text(kpi.target, kpi.unit)} / {value_text(kpi.alert, kpi.unit)}"
        seen = [each.figure(kpi.name) for each in tried]
        values = [
            Text(value_text(one.value, one.unit), style=VERDICT_STYLES[verdict_of(one)]) for one in seen
        ]
        table.add_row(label_of(kpi.name), Text(bounds, style=DIM), *values)
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


def _table(*headings: str, numbers: Sequence[str | Text]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table
