"""The report of a run as tables, as JSON and as a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from dispatcher.ops.chaos.chaos_test import VerifyReport
from dispatcher.ops.chaos.report_page import page
from dispatcher.ops.chaos.report_tables import as_json, report_view
from tests.unit.ops.chaos.verify_reports import judged, report, turn, window

TURNS = (turn(975), turn(1001, "silent", device=3), turn(1002, "apologised"), turn(1003))


@pytest.fixture
def seen() -> VerifyReport:
    calm = judged(window("none", 970.0), *TURNS)
    skipped = judged(replace(window("redis", 1030.0), skipped="the broker is <another> one's"))
    return report(calm, judged(window(), *TURNS), skipped, turns=TURNS)


def test_the_tables_name_each_fault_what_it_hurt_and_why_one_was_not_tried(seen: VerifyReport) -> None:
    console = Console(width=200, record=True, file=None)
    with console.capture() as said:
        console.print(report_view(seen))
    lines = [" ".join(line.split()) for line in said.get().splitlines()]
    assert any(line.startswith("kill kill <it> 3 2 1 2.0 s") for line in lines)
    assert any(
        line.startswith("redis the broker is <another> one's") and "not tried" in line for line in lines
    )
    assert "kill: 1 silent turn" in lines
    # Figures have the names that `dispatcher status` gives them.
    assert any(line.startswith("instances unhealthy ") for line in lines)
    assert ">instances unhealthy</td>" in page(seen)
    assert '<td class="text bad">1 silent turn</td>' in page(seen)


def test_a_random_run_has_a_row_for_each_kind_of_fault_however_often_it_came(seen: VerifyReport) -> None:
    first, again = (judged(window("kill"), *TURNS) for _ in range(2))
    skipped = judged(replace(window("disk"), skipped="it is the system's own"))
    random_run = replace(seen, plan=replace(seen.plan, seed=4), evaluations=(first, skipped, again))
    console = Console(width=200, record=True, file=None)
    with console.capture() as said:
        console.print(report_view(random_run))
    lines = [" ".join(line.split()) for line in said.get().splitlines()]
    assert "kill 2 6 2 2 0 2 0 0 0 0 2.0 s" in lines
    assert "disk not tried" in lines


def test_the_json_holds_every_turn_and_every_verdict(seen: VerifyReport) -> None:
    said = json.loads(json.dumps(as_json(seen)))
    assert said["passed"] is False
    assert len(said["turns"]) == 4
    kill = next(each for each in said["faults"] if each["fault"] == "kill")
    assert kill["outcomes"] == {
        "answered": 1,
        "apologised": 1,
        "cut": 0,
        "silent": 1,
        "disconnected": 0,
        "refused": 0,
    }
    assert {figure["verdict"] for figure in kill["figures"]} <= {"pass", "over target", "alert", "not judged"}


def test_the_page_needs_nothing_else_and_shows_one_dot_for_each_turn(seen: VerifyReport) -> None:
    text = page(seen)
    HTMLParser().feed(text)
    assert text.count('class="turn"') == len(TURNS)
    addresses = set(re.findall(r"https?://[^\"' <]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(script|link|img|iframe)\b", text)


def test_what_a_page_quotes_is_escaped(seen: VerifyReport) -> None:
    text = page(seen)
    assert "<it>" not in text
    assert "<no> answer" not in text
    assert "&lt;another&gt;" in text
