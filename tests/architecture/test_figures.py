"""The figures in README and docs are those that are kept: nobody copies a number by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.acceptance import accept, figure_tables
from tests.acceptance.accept import SUBJECTS, Subject
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


@pytest.mark.parametrize(("code", "kept"), [(0, "new"), (1, "old")])
def test_figures_are_kept_of_a_run_that_met_its_goals_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kept: str
) -> None:
    monkeypatch.setattr(accept, "BIN", tmp_path)
    program, folder = tmp_path / "bench", tmp_path / "figures"
    tables = {"": {"columns": ["x"], "rows": [["new"]]}}
    program.write_text(
        f"#!/bin/sh\necho '{json.dumps({'tables': tables, 'turns': []})}' > \"$3\"\nexit {code}\n"
    )
    program.chmod(0o755)
    accept.keep(folder / "x.json", {}, {"": {"columns": ["x"], "rows": [["old"]]}})
    subject = Subject(name="x", command="bench all", quick="")
    assert accept.run(subject, folder, is_quick=False) == (code == 0)
    found = json.loads((folder / "x.json").read_text())
    assert found["tables"][""]["rows"] == [[kept]]
    assert found["measured"].get("command", "bench all") == "bench all"
