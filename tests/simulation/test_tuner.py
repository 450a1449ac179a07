"""The tuner against the rules of R12 to the letter, on the same host with the same seeds, in short."""

from __future__ import annotations

import pytest

from tests.simulation.tuner_days import TROUBLES, TUNERS, run_days

SEEDS = range(2)


def test_a_day_of_troubles_misses_the_kpis_for_less_time_than_the_rules_to_the_letter() -> None:
    day = TROUBLES["a day of all, and a busy evening"]
    ours, literal, nobody = (
        run_days(day, TUNERS[who], SEEDS) for who in ("ours", "R12 to the letter", "nobody")
    )
    assert ours.outside_ratio < 0.5 * literal.outside_ratio < 0.5 * nobody.outside_ratio
    assert ours.changes < literal.changes


@pytest.mark.parametrize("name", TROUBLES)
def test_no_trouble_is_made_worse_than_without_a_tuner(name: str) -> None:
    troubles = TROUBLES[name]
    ours, nobody = (run_days(troubles, TUNERS[who], SEEDS[:1]) for who in ("ours", "nobody"))
    assert ours.outside_ratio <= nobody.outside_ratio
    assert ours.after_ratio == 0


def test_a_day_without_trouble_sees_no_action() -> None:
    assert run_days(TROUBLES["none"], TUNERS["ours"], SEEDS).changes == 0
