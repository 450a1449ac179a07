"""Table, CSV and JSON of usage, for the command line and the console."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from dispatcher.records.usage import Grouping, UsageTotal
from dispatcher.terminal.tables import Column, ResponsiveTable, table_of

# What a narrow terminal does without, the first first.
_SPARE: Final = ("cached", "seconds", "counted", "characters")
# A spreadsheet takes a cell that begins so for a formula: a device may call itself whatever it likes.
_FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")


def usage_view(totals: Sequence[UsageTotal], *, by: Grouping, currency: str) -> RenderableType:
    """Return one row for each device, persona, instance or day."""
    if not totals:
        return Text("no usage is kept of that time; calls are written every few seconds", style="yellow")
    first: Column[UsageTotal] = Column(by, lambda each: Text(each.name or "–"))
    columns = (first, *_columns(currency))
    return ResponsiveTable(lambda left_out: (table_of(totals, columns, left_out=left_out),), spare=_SPARE)


def _columns(currency: str) -> tuple[Column[UsageTotal], ...]:
    return (
        Column("calls", lambda each: f"{each.calls:.0f}", "right"),
        Column("counted", lambda each: f"{each.counted_calls:.0f}", "right"),
        Column("prompt", lambda each: f"{each.prompt_tokens:.0f}", "right"),
        Column("cached", lambda each: f"{each.cached_tokens:.0f}", "right"),
        Column("completion", lambda each: f"{each.completion_tokens:.0f}", "right"),
        Column("characters", lambda each: f"{each.characters:.0f}", "right"),
        Column("seconds", lambda each: f"{each.seconds:.1f}", "right"),
        Column(currency, lambda each: f"{each.cost:.4f}", "right", is_needed=lambda each: each.cost > 0),
    )


def as_json(
    totals: Sequence[UsageTotal], *, by: Grouping, since_day: str, currency: str
) -> dict[str, object]:
    """Return the usage as the command and the console give it out."""
    rows = [{by: each.name, **_amounts(each)} for each in totals]
    return {"by": by, "since": since_day, "currency": currency, "usage": rows}


def as_csv(totals: Sequence[UsageTotal], *, by: Grouping) -> str:
    """Return the usage as CSV with a line of headings."""
    names = [each.name for each in fields(UsageTotal) if each.name != "name"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([by, *names])
    for each in totals:
        name = f"'{each.name}" if each.name.startswith(_FORMULA_SIGNS) else each.name
        writer.writerow([name, *_amounts(each).values()])
    return text.getvalue()


def _amounts(total: UsageTotal) -> dict[str, float]:
    """Return the amounts without the dust of sums of fractions."""
    found = asdict(total)
    del found["name"]
    return {name: int(value) if value % 1 == 0 else round(value, 6) for name, value in found.items()}
