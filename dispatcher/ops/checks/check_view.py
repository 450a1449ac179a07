"""Check-lists on the screen, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.ops.checks.finding import CheckList, Finding, Outcome

TITLES: Final[Mapping[CheckList, str]] = {
    "before": "Before the first step",
    "1": "Phase 1: balancing",
    "2": "Phase 2: service separation",
    "3": "Phase 3: smart routing",
    "after": "After the last step",
}
STYLES: Final[Mapping[Outcome, str]] = {"pass": "green", "fail": "bold red", "not applicable": "dim"}


def check_view(found: Mapping[CheckList, Sequence[Finding]]) -> RenderableType:
    """Return a table for each list, and one line that counts."""
    parts: list[RenderableType] = []
    for name, findings in found.items():
        parts += [Text(TITLES[name], style="bold underline"), _table(findings), Text("")]
    return Group(*parts, Text(summary(found)))


def summary(found: Mapping[CheckList, Sequence[Finding]]) -> str:
    """Return how many rows passed, failed and did not apply."""
    counts = Counter(finding.outcome for findings in found.values() for finding in findings)
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in STYLES)


def as_json(found: Mapping[CheckList, Sequence[Finding]]) -> dict[str, Any]:
    """Return the rows of each list, JSON-ready."""
    lists = {name: [asdict(finding) for finding in findings] for name, findings in found.items()}
    return {"passed": not any_failed(found), "lists": lists}


def any_failed(found: Mapping[CheckList, Sequence[Finding]]) -> bool:
    """Return whether a row failed."""
    return any(finding.outcome == "fail" for findings in found.values() for finding in findings)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("row", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("seen")
    table.add_column("expected; remedy", style="dim")
    for finding in findings:
        table.add_row(
            Text(finding.name),
            Text(finding.outcome, style=STYLES[finding.outcome]),
            Text(finding.saw),
            Text(f"{finding.expected}; {finding.remedy}" if finding.remedy else finding.expected),
        )
    return table
