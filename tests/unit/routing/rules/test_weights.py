"""What a weight is multiplied with, from how an instance performs beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dispatcher.routing.rules.weights import (
    LEAST,
    MOST,
    Adjustment,
    Performance,
    busy_ratio,
    next_adjustments,
)


def well(name: str, **known: float | None) -> Performance:
    """Return an instance that had calls, and what is known of it beside."""
    return replace(Performance(name=name, calls=100, mean_ms=200), **known)  # type: ignore[arg-type]


def factors(kind: Sequence[Performance]) -> list[float]:
    return [each.after for each in next_adjustments(kind)]


def after_steps(kind: Sequence[Performance], steps: int) -> list[Performance]:
    """Let so many periods pass in which all perform as they do now."""
    found = list(kind)
    for _ in range(steps):
        found = [
            replace(it, adjustment=each.after, lean=each.lean)
            for it, each in zip(found, next_adjustments(found), strict=True)
        ]
    return found


def settled(kind: Sequence[Performance]) -> list[float]:
    return [it.adjustment for it in after_steps(kind, 40)]


def test_instances_that_perform_alike_keep_the_weights_of_the_operator() -> None:
    assert factors([well("A"), well("B"), well("C")]) == [1, 1, 1]


def test_a_factor_goes_back_to_one_when_all_perform_alike() -> None:
    assert settled([well("A", adjustment=3), well("B", adjustment=0.4)]) == pytest.approx([1, 1], rel=0.04)


def test_twice_as_quick_comes_to_twice_the_weight() -> None:
    quick, slow = settled([well("A", mean_ms=100), well("B", mean_ms=200)])
    assert quick / slow == pytest.approx(2, rel=0.08)


def test_one_step_moves_a_factor_by_a_fifth_at_most() -> None:
    assert factors([well("A", mean_ms=10), well("B", mean_ms=5000)]) == pytest.approx(
        [1.2, 1 / 1.2], rel=1e-3
    )


def test_a_factor_stays_within_its_bounds() -> None:
    quick, slow = settled([well("A", mean_ms=1), well("B", mean_ms=50_000)])
    assert 0.95 * MOST < quick <= MOST
    assert LEAST <= slow < 1.05 * LEAST


def test_what_is_hardly_different_changes_nothing() -> None:
    kind = [well("A", mean_ms=200), well("B", mean_ms=206)]
    assert [it.adjustment for it in after_steps(kind, 5)] == [1, 1]


def test_a_small_difference_has_to_last_and_a_plain_one_counts_at_once() -> None:
    small = [well("A", mean_ms=200), well("B", mean_ms=230)]
    assert factors(small) == [1, 1]
    assert [it.adjustment for it in after_steps(small, 2)] != [1, 1]
    assert factors([well("A", mean_ms=200), well("B", mean_ms=300)]) != [1, 1]


def test_a_small_difference_to_either_side_in_turn_changes_nothing() -> None:
    ahead = [well("A", mean_ms=200), well("B", mean_ms=230)]
    leaning = after_steps(ahead, 1)
    behind = [replace(it, mean_ms=430 - (it.mean_ms or 0)) for it in leaning]
    assert factors(behind) == [1, 1]


@pytest.mark.parametrize(
    "worse",
    [
        {"error_ratio": 0.5},
        {"busy_ratio": 1.0},
        {"cpu_ratio": 0.95, "memory_ratio": 0.3},
        {"cpu_ratio": 0.2, "memory_ratio": 0.95},
        {"mean_ms": 400},
    ],
    ids=str,
)
def test_each_term_alone_moves_weight_away(worse: dict[str, float]) -> None:
    good = well("A", cpu_ratio=0.2, memory_ratio=0.3)
    kind = after_steps([good, replace(good, name="B", **worse)], 1)  # type: ignore[arg-type]
    first, second = next_adjustments(kind)
    assert first.after > 1 > second.after
    assert first.score is not None
    assert second.score is not None
    assert first.score > second.score


def test_a_term_that_one_of_them_does_not_report_is_left_out_for_all() -> None:
    silent, loaded = next_adjustments([well("A"), well("B", cpu_ratio=0.99, memory_ratio=0.99)])
    assert (silent.after, loaded.after) == (1, 1)
    assert silent.score == loaded.score == 1


def test_where_one_had_no_success_the_response_time_is_left_out() -> None:
    fails = well("B", mean_ms=None, error_ratio=0.9)
    first, second = next_adjustments([well("A"), fails])
    assert first.after > 1 > second.after
    assert " ms" not in second.reason


def test_an_instance_alone_has_the_weight_of_the_operator() -> None:
    assert factors([well("A", adjustment=0.3, mean_ms=9000)]) == [1]


def test_an_instance_that_is_out_keeps_its_factor_and_returns_with_it() -> None:
    out = well("A", adjustment=0.5, usable=False)
    assert factors([out, well("B"), well("C")]) == [0.5, 1, 1]
    # Back, and as good as the others: it climbs.
    assert factors([replace(out, usable=True), well("B"), well("C")])[0] > 0.5


def test_an_instance_without_calls_goes_slowly_back_to_one() -> None:
    idle = [well("A", calls=0, mean_ms=None, adjustment=0.5), well("B"), well("C")]
    assert factors(idle)[0] == pytest.approx(0.55, rel=1e-3)
    assert settled(idle)[0] == 1


def test_without_another_to_compare_with_a_factor_goes_slowly_back_to_one() -> None:
    kind = [well("A", adjustment=2), well("B", calls=3)]
    assert factors(kind) == pytest.approx([2 / 1.1, 1], rel=1e-3)


def test_the_reason_says_the_numbers() -> None:
    (_, slow) = next_adjustments([well("A"), well("B", mean_ms=800, cpu_ratio=0.5, error_ratio=0.02)])
    assert isinstance(slow, Adjustment)
    assert slow.changed
    assert slow.reason == "score 0.55, 100 calls, 800 ms, 0% busy, 2.0% errors, cpu 50%"


def test_no_instance_has_no_factor() -> None:
    assert next_adjustments([]) == []


def test_slots_in_use_follow_from_the_calls_and_their_time() -> None:
    assert busy_ratio(calls=600, mean_ms=200, period_s=60, cap=4) == pytest.approx(0.5)
    assert busy_ratio(calls=6000, mean_ms=2000, period_s=60, cap=4) == 1
