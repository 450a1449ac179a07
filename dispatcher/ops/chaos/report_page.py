"""Report of a chaos test as one HTML file that needs nothing else: tables, and the plot inside."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from dispatcher.ops.chaos.chaos_test import VerifyReport
from dispatcher.ops.chaos.evaluation import FAILOVER_GOAL_S, Evaluation, verdict_of
from dispatcher.ops.chaos.report_rows import HEADINGS, VERDICT_GRADES, fault_cells
from dispatcher.ops.chaos.turn_plot import plot
from dispatcher.telemetry.kpi_table import label_of, value_text

LEGEND: Final = (
    "How long each user waited for the first sound. Red: the fault is in place. "
    "Sand: its cause is gone, and not yet everything is well."
)
STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2733;--paper:#fff;--soft:#5d6b7a;--line:#dde3ea;--fault:#f6d5d0;
--after:#fbeedd;--calm:#e6f2ea;--good:#2f7d5b;--fair:#a86a00;--bad:#c22f27}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--paper:#14191f;--soft:#9aa7b5;--line:#2c3641;
--fault:#4a2723;--after:#3a2f20;--calm:#1d3328;--good:#6cc79b;--fair:#e0a84a;--bad:#f0776e}}
body{font:15px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;color:var(--ink);background:var(--paper);
margin:2rem auto;max-width:1180px;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.3rem 0;color:var(--soft)}
.verdict{font-size:1.1rem;font-weight:600;color:var(--good)}.verdict.bad{color:var(--bad)}
svg{width:100%;height:auto}.axis,.name{font-size:12px;fill:var(--soft)}.name{fill:var(--ink);font-weight:600}
.grid{stroke:var(--line)}.fault{fill:var(--fault)}.after{fill:var(--after)}.calm{fill:var(--calm)}
.turn{stroke:var(--paper);stroke-width:.6}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th,td{white-space:nowrap}td.text{white-space:normal}td.number,th.number{text-align:right}
th{font-size:.85rem;color:var(--soft);font-weight:600}
.load{fill:none;stroke:var(--good);stroke-width:1.5}.second{stroke-width:.7;opacity:.4}.lost{fill:var(--bad)}
.good{color:var(--good)}.fair{color:var(--fair)}.bad{color:var(--bad);font-weight:600}.dim{color:var(--soft)}
"""


def page(report: VerifyReport) -> str:
    """Return the whole file."""
    lasted_s = report.ended_at_s - report.began_at_s
    intro = (
        f"{report.plan.devices} devices, {len(report.turns)} turns in {lasted_s:.0f} s. "
        f"Goal: failover within {FAILOVER_GOAL_S:g} s, no silent turn."
    )
    parts = {
        "Every turn": f"<p>{LEGEND}</p>{plot(report)}",
        "Faults": _faults(report.evaluations),
        "Figures": _figures(report.evaluations),
    }
    return html_page("dispatcher verify", report.began_at_s, intro, report.problems, parts)


def html_page(
    title: str, began_at_s: float, intro: str, problems: Sequence[str], parts: Mapping[str, str]
) -> str:
    """Return a file that needs nothing else: begin and verdict of a run, then its parts by their headings."""
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began_at_s))
    failed = "<br>".join(html.escape(problem) for problem in problems)
    bad = f'<p class="verdict bad">Failed</p><p>{failed}</p>'
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{title}, {began}</title><style>{STYLE}</style></head><body>",
            f"<h1>{title}</h1><p>{began}, {html.escape(intro)}</p>",
            bad if problems else '<p class="verdict">Passed</p>',
            *(f"<h2>{heading}</h2>{part}" for heading, part in parts.items()),
            "</body></html>\n",
        ]
    )


def _faults(evaluations: Sequence[Evaluation]) -> str:
    head = "".join(f'<th class="{_kind(number)}">{name}</th>' for name, number in HEADINGS.items())
    return html_table(head, [_fault_row(each) for each in evaluations])


def _fault_row(each: Evaluation) -> str:
    cells = zip(fault_cells(each), HEADINGS.values(), strict=True)
    return "".join(
        f'<td class="{_kind(number)} {cell.grade}">{html.escape(cell.text)}</td>' for cell, number in cells
    )


def _kind(is_number: bool) -> str:  # noqa: FBT001  a column of the table
    return "number" if is_number else "text"


def html_table(head: str, rows: Iterable[str]) -> str:
    """Return a table of the cells of its head and of each row."""
    shown = "".join(f"<tr>{row}</tr>" for row in rows)
    body = f"<thead><tr>{head}</tr></thead><tbody>{shown}</tbody>"
    return f'<div class="wide"><table>{body}</table></div>'


def _figures(evaluations: Sequence[Evaluation]) -> str:
    tried = [each for each in evaluations if not each.window.skipped]
    if not tried:
        return "<p>Nothing was tried.</p>"
    names = "".join(f'<th class="number">{html.escape(each.window.fault)}</th>' for each in tried)
    rows = []
    for kpi in tried[0].figures:
        bounds = f"{value_text(kpi.target, kpi.unit)} / {value_text(kpi.alert, kpi.unit)}"
        cells = "".join(_figure_cell(each, kpi.name) for each in tried)
        rows.append(f'<td>{label_of(kpi.name)}</td><td class="dim">{bounds}</td>{cells}')
    return html_table(f"<th>figure</th><th>target / alert</th>{names}", rows)


def _figure_cell(each: Evaluation, name: str) -> str:
    kpi = each.figure(name)
    verdict = verdict_of(kpi)
    title = html.escape(f"{verdict}{'; ' if kpi.detail else ''}{kpi.detail}", quote=True)
    return (
        f'<td class="number {VERDICT_GRADES[verdict]}" title="{title}">{value_text(kpi.value, kpi.unit)}</td>'
    )
