"""What the balancing is held against."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console

from dispatcher.ops.bench.routing_load import Cost, Timing
from dispatcher.ops.bench.routing_report import Hammered, RoutingReport, print_routing


def timing(*picks_ms: float) -> Timing:
    return Timing(callers=1, picks_ms=picks_ms, finishes_ms=(0.2, 0.3), picks_per_s=2000)


GOOD = RoutingReport(
    pings=Timing(callers=0, picks_ms=(0.1,), finishes_ms=(), picks_per_s=9000),
    timings=(timing(0.3, 0.4),),
    cost=Cost(round_trips=1, commands=1, script_us=90, inner={"hmget": 4}),
    shares={
        "round_robin": Counter(A=34, B=33, C=33),
        "weighted_round_robin": Counter(A=50, B=30, C=20),
        "response_time": Counter(A=90, B=5, C=5),
    },
    bursts={"round_robin": Counter({"A": 8, "B": 3, "C": 4, "": 45})},
    hammered=Hammered(taken=(10, 12), most=4, cap=4),
    other_programs_ratio=0.0,
)


def words(report: RoutingReport) -> list[str]:
    return [word for _, word in report.verdicts()]


def test_what_keeps_every_bound_passes() -> None:
    assert set(words(GOOD)) == {"pass"}


@pytest.mark.parametrize(("ratio", "word"), [(0.1, "FAIL"), (0.9, "host not quiet")])
def test_a_slow_pick_is_held_against_us_only_on_a_quiet_machine(ratio: float, word: str) -> None:
    slow = replace(GOOD, timings=(timing(0.6, 2.5),), other_programs_ratio=ratio)
    assert words(slow)[:2] == [word, word]


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, cost=Cost(round_trips=1.5, commands=1, script_us=90, inner={})),
        replace(GOOD, cost=Cost(round_trips=1, commands=4, script_us=90, inner={})),
        replace(GOOD, shares={**GOOD.shares, "weighted_round_robin": Counter(A=52, B=28, C=20)}),
        replace(GOOD, bursts={"round_robin": Counter({"A": 8, "B": 3, "C": 5, "": 44})}),
        replace(GOOD, hammered=Hammered(taken=(1,), most=5, cap=4)),
    ],
)
def test_what_must_be_exact_fails_on_any_machine(bad: RoutingReport) -> None:
    assert words(replace(bad, other_programs_ratio=1.0)).count("FAIL") == 1


def test_the_tables_show_times_shares_bursts_and_verdicts() -> None:
    out = io.StringIO()
    print_routing(Console(file=out, width=160), GOOD)
    told = " ".join(out.getvalue().split())
    for shown in (
        "PING alone 0.100/0.100 9000",
        "1 0.300/0.400 0.200/0.300 2000",
        "response_time 90.0% 5.0% 5.0% 40.0 points",
        "round_robin 8 3 4 45",
        "2 processes on a cap of 4 took 10, 12 slots; at most 4 at once",
        "never more than the cap of 4 4 pass",
    ):
        assert shown in told
