"""Figures of the bench of more work than places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from dispatcher.ops.bench.overload_bench import (
    RESENT,
    WARM_UP_S,
    count_resent,
    jain_index,
    overload_stack,
    overload_table,
    overload_tables,
    overload_verdicts,
    row_of,
    steps_taken,
)
from dispatcher.ops.bench.overload_load import OverloadTurn
from dispatcher.terminal.figures import cells_of


def turn(device: int, first_ms: float | None, *, ended_s: float = 5.0) -> OverloadTurn:
    answered = first_ms is not None
    ended_s += WARM_UP_S
    return OverloadTurn(device=device, ended_s=ended_s, first_ms=first_ms, has_gap=False, answered=answered)


def test_a_level_counts_what_was_audible_and_what_the_places_gave() -> None:
    turns = [turn(1, 900.0), turn(1, 2_500.0), turn(2, 1_000.0, ended_s=20.0), turn(2, None)]
    early = turn(2, 9_000.0, ended_s=-1.0)
    row = row_of([early, *turns], devices=2, seconds=10, level=100, variant="on")
    assert (row.turns, row.unanswered, row.audible_ratio) == (4, 1, 0.5)
    assert row.capacity_ratio == pytest.approx(2 * 2.7 / (8 * 10))
    assert row.jain == pytest.approx(0.9)
    cells = cells_of(overload_table([row]))
    shown = dict(zip(cells["columns"], cells["rows"][0], strict=True))
    assert (shown["load"], shown["in 2 s"], shown["unanswered"]) == ("100 %", "50.0%", "1")


def test_all_that_is_shown_is_whole_on_a_terminal_of_80_columns() -> None:
    busy = row_of([turn(1, 59_000.0)] * 900, devices=100, seconds=10, level=300, variant="off")
    busy = replace(busy, resent=120, recovered_s=30.0, turned_away=450, away_p95_ms=12_000.0, top_step=5)
    console = Console(width=80)
    with console.capture() as printed:
        for table in overload_tables([busy]).values():
            console.print(table)

    shown = printed.get()
    assert "…" not in shown
    everything = cells_of(overload_table([busy]))
    for cell in everything["rows"][0]:
        assert cell in shown  # no cell is wrapped
    for heading in everything["columns"]:
        assert heading in shown


def test_fairness_is_one_for_equal_shares_and_one_nth_where_one_has_all() -> None:
    assert jain_index([3, 3, 3]) == pytest.approx(1.0)
    assert jain_index([9, 0, 0]) == pytest.approx(1 / 3)
    assert jain_index([0, 0]) == 1.0


@pytest.mark.parametrize("is_on", [True, False])
def test_the_stack_has_eight_llm_places_and_the_switch_of_the_run(tmp_path: Path, *, is_on: bool) -> None:
    plan = overload_stack(tmp_path, is_on=is_on)
    settings = yaml.safe_load(plan.config.read_text("utf-8"))
    found = settings["load_balancing"]["api_gateway"]["llm_services"]["instances"]
    assert sum(instance["max_concurrent"] for instance in found) == 8
    assert settings["overload"] == {"enabled": is_on}
    assert sum("tokens_per_s" in line.command for line in plan.lines) == len(found)


def test_stages_that_were_sent_twice_are_counted_in_the_log(tmp_path: Path) -> None:
    plan = overload_stack(tmp_path, is_on=True)
    assert count_resent(plan) == 0
    log = tmp_path / "log" / "front.log"
    log.parent.mkdir()
    log.write_text(f"{RESENT} stage=llm\n{RESENT} stage=tts\n", "utf-8")
    assert count_resent(plan) == 2


def test_turns_that_were_turned_away_and_the_steps_are_counted(tmp_path: Path) -> None:
    away = replace(turn(1, 700.0), answered=False, turned_away=True)
    row = row_of([turn(1, 900.0), away], devices=1, seconds=10, level=300, variant="on")
    assert (row.turned_away, row.away_p95_ms, row.unanswered) == (1, 700.0, 1)
    plan = overload_stack(tmp_path, is_on=True)
    assert steps_taken(plan) == []
    log = tmp_path / "log" / "front.log"
    log.parent.mkdir()
    change = (
        "\x1b[1moverload step changed\x1b[0m \x1b[36mbefore\x1b[0m=0 \x1b[36mstep\x1b[0m=\x1b[35m{}\x1b[0m\n"
    )
    log.write_text(change.format(1) + change.format(5) + 'overload step changed {"step": 3}\n', "utf-8")
    assert steps_taken(plan) == [1, 5, 3]


def test_a_level_misses_the_goals_that_it_is_beyond_alone() -> None:
    met = row_of([turn(1, 900.0)] * 37, devices=1, seconds=12.4, level=200, variant="on")
    assert [verdict.passed for verdict in overload_verdicts([met])] == [True] * 7
    worse = replace(met, audible_ratio=0.99, capacity_ratio=0.94, turned_away=2, unanswered=3, resent=1)
    worse = replace(worse, gap_ratio=0.01, away_p95_ms=1_001, recovered_s=5.1)
    assert [verdict.passed for verdict in overload_verdicts([met, worse])] == [False] * 7
    assert overload_verdicts([replace(worse, variant="off")]) == []
    quarter = overload_verdicts([replace(met, level=100)])
    assert [verdict.passed for verdict in quarter].count(None) == 1, (
        "no more work than the places take need not fill them"
    )
