"""Tables of a bench, narrow enough for a terminal of 80 columns and for a log file, and its JSON file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from dispatcher.ops.bench.bounds import Verdict

json_option: Final = click.option(
    "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all results here."
)


def bench_table(first: str, *numbers: str, left: Iterable[str] = ()) -> Table:
    """Return a table whose columns but the first stand at the right, those in `left` excepted."""
    table = Table(first, box=box.SIMPLE_HEAD, pad_edge=False)
    for name in numbers:
        table.add_column(name, justify="left" if name in left else "right")
    return table


def print_verdicts(console: Console, verdicts: Iterable[Verdict]) -> None:
    """Print a line for each bound: whether it was met, what is wanted, what was measured."""
    marks = {True: "[green]pass[/]", False: "[red]fail[/]", None: "[dim]–   [/]"}
    for verdict in verdicts:
        line = f"{marks[verdict.passed]}  {verdict.wanted}: {verdict.measured}"
        console.print(line, highlight=False, soft_wrap=True)


def ms_text(value: float | None) -> str:
    """Return a time in ms as it is read; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.0f}"
