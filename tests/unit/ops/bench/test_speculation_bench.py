"""Figures of the bench of speculation."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rich.console import Console

from dispatcher.ops.bench.speculation_bench import row_of, speculation_stack, speculation_table
from dispatcher.telemetry.speculation_figures import SpeculationFigures
from dispatcher.telemetry.turn_log import TurnEnd

FIGURES = SpeculationFigures(started=4, committed=3, wasted=1, calls=4)


def end(first_audio_ms: float | None, outcome: str = "answered") -> TurnEnd:
    return TurnEnd(outcome=outcome, first_audio_ms=first_audio_ms, silence_ms=704.0)


def test_a_level_counts_what_was_heard_in_time_and_what_was_wasted() -> None:
    ends = [end(250.0), end(300.0), end(900.0), end(400.0, "apologised"), end(None, "device left")]
    row = row_of(ends, FIGURES, level=30, is_on=True, devices=8)
    assert (row.turns, row.unanswered, row.first_p50_ms) == (5, 2, 900.0)
    assert row.goal_ratio == pytest.approx(0.4)
    assert row.waste_ratio == pytest.approx(0.2)


def test_the_table_tells_the_gain_against_the_same_load_without() -> None:
    off = row_of([end(900.0)], SpeculationFigures(), level=30, is_on=False, devices=8)
    on = row_of([end(250.0)], FIGURES, level=30, is_on=True, devices=8)
    console = Console(record=True, width=200)
    console.print(speculation_table([off, on]))
    text = console.export_text()
    assert "+650/+650" in text
    assert "4/3" in text
    assert "1 (20%)" in text


@pytest.mark.parametrize(
    ("rules", "switch"), [(None, False), ({"pause_ms": 96}, {"enabled": True, "pause_ms": 96})]
)
def test_the_stack_has_eight_llm_places_and_the_switch_of_the_run(
    tmp_path: Path, rules: dict[str, int] | None, switch: object
) -> None:
    plan = speculation_stack(tmp_path / "stack", rules=rules)
    settings = yaml.safe_load(plan.config.read_text("utf-8"))
    found = settings["load_balancing"]["api_gateway"]["llm_services"]["instances"]
    assert sum(instance["max_concurrent"] for instance in found) == 8
    assert settings["conversation"] == {"speculation": switch}
    assert sum("audio_s_per_character" in line.command for line in plan.lines) == 2
