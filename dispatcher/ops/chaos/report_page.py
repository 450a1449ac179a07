"""Report of a chaos test as one HTML file that needs nothing else: tables, and the plot inside."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from dispatcher.ops.chaos.chaos_test import VerifyReport
from dispatcher.ops.chaos.evaluation import FAILOVER_GOAL_S
from dispatcher.ops.chaos.report_tables import BAD, DIM, FAIR, GOOD, fault_table, figure_matrix
from dispatcher.ops.chaos.turn_plot import plot
from dispatcher.terminal.figures import cells_of

LEGEND: Final = (
    "How long each user waited for the first sound. Red: the fault is in place. "
    "Sand: its cause is gone, and not yet everything is well."
)
CLASSES: Final = {GOOD: "good", FAIR: "fair", BAD: "bad", DIM: "dim"}
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
        "Faults": html_table(fault_table(report.evaluations)),
        "Figures": html_table(figure_matrix(report.evaluations)),
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


def html_table(table: Table) -> str:
    """Return a table of the screen as HTML; its styles become classes."""
    kinds = ["number" if column.justify == "right" else "text" for column in table.columns]
    cells = cells_of(table)
    styles = zip(*([_style(cell) for cell in column.cells] for column in table.columns), strict=True)
    head = "".join(
        f'<th class="{kind}">{html.escape(text)}</th>'
        for kind, text in zip(kinds, cells["columns"], strict=True)
    )
    rows = (
        "".join(map(_cell, kinds, row, styled)) for row, styled in zip(cells["rows"], styles, strict=True)
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _style(cell: object) -> str:
    return CLASSES.get(str(cell.style), "") if isinstance(cell, Text) else ""


def _cell(kind: str, text: str, style: str) -> str:
    return f'<td class="{kind} {style}">{html.escape(text)}</td>'
