"""The figures in README and docs are those that are kept: nobody copies a number by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.acceptance import figure_tables
from tests.acceptance.accept import SUBJECTS
from tests.acceptance.figure_tables import KEPT, documents, with_figures

NAMES = {each.name for each in SUBJECTS}


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_tables_between_markers_are_those_of_the_kept_figures(document: Path) -> None:
    text = document.read_text("utf-8")
    assert text == with_figures(document), 'write them by `make accept ARGS="--from docs/figures"`'
    assert set(re.findall(r"<!-- figures: ([\w-]+)", text)) <= NAMES


def test_every_kept_file_belongs_to_a_subject_and_says_how_it_was_measured() -> None:
    for path in KEPT.iterdir():
        assert path.stem in NAMES
        assert {"at", "commit", "command", "cores"} <= json.loads(path.read_text("utf-8"))["measured"].keys()


def test_a_table_is_written_in_the_language_of_its_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure_tables, "KEPT", tmp_path)
    table = {"columns": ["devices", "lost"], "rows": [["baseline, one bare script", ""], ["10", "0"]]}
    measured = {"at": "2026-12-01", "commit": "abc", "command": "dispatcher bench x", "cores": 2, "load": 0.1}
    (tmp_path / "devices.json").write_text(json.dumps({"measured": measured, "tables": {"summary": table}}))
    marked = "a\n<!-- figures: devices summary -->\nold\n<!-- end of figures -->\nb\n<!-- figures: soak -->\n"
    english, chinese = tmp_path / "x.md", tmp_path / "x.zh-CN.md"
    for path in (english, chinese):
        path.write_text(f"{marked}<!-- end of figures -->\n")
    assert with_figures(english).splitlines()[1:-3] == [
        "<!-- figures: devices summary -->",
        "| devices | lost |",
        "| --- | --- |",
        "| baseline, one bare script | |",
        "| 10 | 0 |",
        "",
        "(`dispatcher bench x`; 2026-12-01, commit abc, 2 cores, load of 0.1 before it)",
        "<!-- end of figures -->",
    ]
    assert "| 设备数 | 丢失 |" in with_figures(chinese)
    assert "old" not in with_figures(chinese)
