"""Figures of a bench or trial as JSON: its results, and its tables as they are printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from dispatcher.data_dir import write_private


def write_results(
    path: Path | None, tables: Mapping[str, Table], results: Mapping[str, Any] | None = None
) -> None:
    """Write results, and below "tables" the cells of each table by its name; without a path, nothing."""
    if path is None:
        return
    found = {**(results or {}), "tables": {name: cells_of(table) for name, table in tables.items()}}
    write_private(path, json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def cells_of(table: Table) -> dict[str, list[Any]]:
    """Return the headings of a table and the cells of its rows, without colours."""
    columns = [[_plain(cell) for cell in column.cells] for column in table.columns]
    return {
        "columns": [_plain(column.header) for column in table.columns],
        "rows": [list(row) for row in zip(*columns, strict=True)],
    }


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain
