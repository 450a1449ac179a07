"""How shares of calls are counted against the weights."""

from __future__ import annotations

import pytest

from dispatcher.kpis.shares import (
    ShareGroup,
    ShareMember,
    ShareWindow,
    measured_window,
    next_window,
    worst_deviation,
)
from dispatcher.messages import Algorithm


def group(
    *calls: int, algorithm: Algorithm = "weighted_round_robin", weights: tuple[float, ...] = (2, 1)
) -> ShareGroup:
    members = tuple(
        ShareMember(name=name, weight=weight, calls=count)
        for name, weight, count in zip("AB", weights, calls, strict=True)
    )
    return ShareGroup(service="tts", priority="high", algorithm=algorithm, members=members)


def test_a_window_is_a_hundred_rounds_of_the_sum_of_the_weights() -> None:
    begun = next_window(None, group(10, 10))
    running = next_window(begun, group(209, 110))
    assert running is begun
    whole = next_window(begun, group(210, 110))
    assert whole.deviation == pytest.approx(0.0)
    assert whole.in_words == "A 67% of 67%, B 33% of 33%"
    assert (whole.group, whole.began_with) == ("tts high", {"A": 210, "B": 110})


def test_the_farthest_share_is_the_deviation() -> None:
    whole = next_window(next_window(None, group(0, 0)), group(150, 150))
    assert whole.deviation == pytest.approx(1 / 6)


def test_round_robin_wants_the_same_for_all_whatever_the_weights() -> None:
    begun = next_window(None, group(0, 0, algorithm="round_robin"))
    assert next_window(begun, group(100, 100, algorithm="round_robin")).deviation == 0


@pytest.mark.parametrize(
    "changed",
    [group(5, 5, weights=(3, 1)), group(5, 5, algorithm="least_connections"), group(0, 5)],
    ids=["other weights", "other algorithm", "an instance that began anew"],
)
def test_a_window_about_something_else_begins_anew(changed: ShareGroup) -> None:
    before = next_window(next_window(None, group(0, 0)), group(200, 100))
    assert before.deviation is not None
    after = next_window(before, changed)
    assert (after.deviation, after.began_with) == (None, {one.name: one.calls for one in changed.members})


def test_shares_are_judged_only_where_the_algorithm_promises_them() -> None:
    by_load = next_window(None, group(0, 0, algorithm="response_time"))
    off = next_window(by_load, group(300, 0, algorithm="response_time"))
    assert off.in_words == "A 100% of 67%, B 0% of 33%"
    assert worst_deviation([off]) is None
    assert worst_deviation([off, ShareWindow(group="x", judged=True, signature="", deviation=0.1)]) == 0.1


def test_what_was_measured_between_two_moments_needs_calls_enough_and_the_same_weights() -> None:
    began = group(10, 10)
    whole = measured_window(began, group(210, 110), rounds=100)
    assert whole is not None
    assert whole.deviation == pytest.approx(0.0)
    assert measured_window(began, group(20, 15), rounds=100) is None
    assert measured_window(began, group(210, 110, weights=(3, 1)), rounds=100) is None
