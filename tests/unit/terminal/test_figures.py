"""Figures as JSON: results beside the cells of the tables that are printed."""

from __future__ import annotations

import json
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dispatcher.terminal.figures import write_results


def test_results_are_written_with_the_plain_cells_of_their_tables(tmp_path: Path) -> None:
    table = Table("fault", "verdict")
    table.add_row(Text("hang", style="bold"), "[red]FAIL[/]")
    table.add_section()
    table.add_row("none")
    write_results(tmp_path / "x.json", {"faults": table}, {"turns": 3})
    assert json.loads((tmp_path / "x.json").read_text()) == {
        "turns": 3,
        "tables": {
            "faults": {"columns": ["fault", "verdict"], "rows": [["hang", "FAIL"], ["none", ""]]},
        },
    }


def test_nothing_is_written_where_no_file_is_asked_for(tmp_path: Path) -> None:
    write_results(None, {})
    assert not list(tmp_path.iterdir())
