"""Figures of a soak, and its report."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from dispatcher.ops.chaos.faults import DEFAULT_FAULTS, FAULTS
from dispatcher.ops.chaos.soak_plot import axis_top
from dispatcher.ops.chaos.soak_report import soak_json, soak_page, soak_view
from dispatcher.ops.chaos.soak_rules import (
    SoakSample,
    memory_slopes,
    next_devices,
    soak_figures,
    soak_problems,
)
from dispatcher.ops.chaos.soak_test import SoakPlan, SoakReport
from dispatcher.ops.chaos.turn_outcomes import DeviceTurn, Window
from tests.unit.ops.chaos.verify_reports import turn

FAULT = Window(
    fault="kill",
    what="kill -9 of <tts-1>",
    began_at_s=30.0,
    undone_at_s=34.0,
    ended_at_s=36.0,
    well_s=2.0,
)


def sample(at_s: float, cpu_ratio: float | None = 0.8, **memory_mb: int) -> SoakSample:
    """Return a sample; a process is written name_pid."""
    used = {
        (name.partition("_")[0], int(name.partition("_")[2])): megabytes * 1_000_000
        for name, megabytes in memory_mb.items()
    }
    return SoakSample(at_s=at_s, cpu_ratio=cpu_ratio, devices=9, memory_bytes=used)


HELD = tuple(sample(float(at), 0.8, front_1=100) for at in range(60))
TURNS = tuple(turn(float(at % 60)) for at in range(400))


def report(
    samples: tuple[SoakSample, ...] = HELD,
    turns: tuple[DeviceTurn, ...] = TURNS,
    faults: tuple[Window, ...] = (FAULT,),
) -> SoakReport:
    return SoakReport(
        plan=SoakPlan.of(1, tuple(FAULTS), None, quick=True),
        began_at_s=0.0,
        ended_at_s=60.0,
        samples=samples,
        faults=faults,
        turns=turns,
        figures=soak_figures(samples, turns, began_at_s=0.0),
    )


@pytest.mark.parametrize(
    ("now", "cpu_ratio", "after"),
    [
        (10, 0.8, 10),
        (10, 0.75, 10),
        (10, 0.2, 15),
        (10, 0.7, 11),
        (1, 0.74, 2),
        (10, 1.0, 8),
        (10, 0.86, 9),
        (1, 1.0, 1),
    ],
)
def test_devices_follow_the_load_in_small_steps(now: int, cpu_ratio: float, after: int) -> None:
    assert next_devices(now, cpu_ratio, most=99) == after


def test_there_are_never_more_devices_than_allowed() -> None:
    assert next_devices(10, 0.1, most=12) == 12


def test_utilisation_counts_from_when_the_load_was_reached() -> None:
    samples = (sample(0.0, None), sample(1.0, 0.2), sample(2.0, 0.76), sample(3.0, 0.9))
    found = soak_figures(samples, TURNS, began_at_s=0.0)
    assert found.reached_s == 2.0
    assert found.utilisation == pytest.approx(0.83)
    assert found.minutes == ()


def test_the_share_within_the_band_is_one_of_minutes() -> None:
    noise = (0.4, 1.0, 1.0)
    samples = [sample(float(at), noise[at % 3] if at < 120 else 0.9) for at in range(199)]
    found = soak_figures((sample(-1.0, 0.2), *samples), TURNS, began_at_s=-1.0)
    assert list(found.minutes) == pytest.approx([0.8, 0.8, 0.9], abs=0.01)
    assert found.in_band_ratio == pytest.approx(2 / 3)


def test_memory_grows_by_the_longest_life_of_each_process() -> None:
    samples = [
        sample(60.0 * at, 0.8, front_1=100 + at, **({"tts_2": 90} if at < 20 else {"tts_3": 50}))
        for at in range(60)
    ]
    found = memory_slopes(samples)
    assert found["front"] == pytest.approx(60.0)
    assert found["tts"] == pytest.approx(0.0)
    assert memory_slopes(samples[:3]) == {}


def test_a_process_that_was_started_again_has_time_to_fill_up() -> None:
    samples = [
        sample(60.0 * at, 0.8, **({"llm_1": 90} if at < 20 else {"llm_2": 60 if at < 25 else 90}))
        for at in range(60)
    ]
    assert memory_slopes(samples)["llm"] == pytest.approx(0.0)


def test_what_is_missed_fails_the_run_and_nothing_else_does() -> None:
    assert report().problems == []
    unwell = replace(FAULT, well_s=None)
    lost = (*TURNS, *(turn(1.0, "apologised") for _ in range(9)), turn(1.0, "silent"))
    assert report(faults=(unwell,), turns=lost).problems == [
        "kill: not well again in time",
        "1 silent turn",
        "availability 97.56% of 99.5%",
    ]
    idle = tuple(replace(each, cpu_ratio=0.3) for each in HELD)
    assert report(samples=idle, turns=()).problems == [
        "no turn at all",
        "utilisation never reached, not 75% to 85%",
    ]
    assert report(turns=(turn(1.0), turn(1.0, "cut"))).problems == []
    assert report(turns=tuple(turn(1.0, "apologised") for _ in range(38))).problems == [
        "availability 0.00% of 99.5%"
    ]


def test_memory_is_judged_from_half_an_hour_on() -> None:
    growing = tuple(sample(60.0 * at, 0.8, front_1=100 + at) for at in range(60))
    figures = soak_figures(growing, TURNS, began_at_s=0.0)
    assert soak_problems(figures, (), lasted_s=60.0) == []
    assert soak_problems(figures, (), lasted_s=3600.0) == ["memory grows by 60 MB an hour, front most"]


def test_a_total_that_grows_beyond_its_limit_is_named_and_streams_have_none() -> None:
    def at(minute: int) -> SoakSample:
        totals = {"descriptors": 100.0 + 2 * minute, "threads": 60.0, "stream entries": 900.0 * minute}
        return replace(sample(60.0 * minute, 0.8, front_1=100), totals=totals)

    figures = soak_figures([at(minute) for minute in range(60)], TURNS, began_at_s=0.0)
    assert figures.slopes_per_h == pytest.approx({"descriptors": 120, "threads": 0, "stream entries": 54_000})
    assert soak_problems(figures, (), lasted_s=3600.0) == ["descriptors grow by 120 an hour"]
    assert soak_problems(figures, (), lasted_s=60.0) == []


def test_the_plan_leaves_out_what_refuses_devices_unless_it_is_named() -> None:
    every = SoakPlan.of(60, DEFAULT_FAULTS, None, quick=False)
    assert set(DEFAULT_FAULTS) - set(every.names) == {"overload", "disk"}
    assert (every.total_s, every.fault_every_s, every.fault_s) == (3600, 300, 15)
    assert SoakPlan.of(1, ("overload",), 7, quick=True).names == ("overload",)


def test_no_more_devices_begin_than_are_allowed() -> None:
    assert SoakPlan.of(1, ("kill",), 2, quick=True).first_devices == 2
    assert SoakPlan.of(1, ("kill",), None, quick=True).first_devices == 4


@pytest.mark.parametrize(
    ("highest", "top"), [(0.0, 2), (2.0, 2), (5.0, 6), (7.0, 10), (11.0, 20), (2615.0, 4000)]
)
def test_an_axis_ends_at_a_round_number(highest: float, top: float) -> None:
    assert axis_top(highest) == top


def test_a_run_of_an_hour_has_its_times_below_the_curves() -> None:
    page = soak_page(replace(report(), ended_at_s=3600.0))
    assert [f">{at}:00<" in page for at in (0, 10, 60)] == [True, True, True]
    assert ">5:00<" not in page


def test_screen_json_and_page_tell_the_same() -> None:
    skipped = replace(FAULT, fault="redis", skipped="the stack runs no <broker>")
    found = report(turns=(*TURNS, turn(20.0, "cut")), faults=(FAULT, skipped))
    screen = StringIO()
    Console(width=160, file=screen).print(soak_view(found))
    for words in (
        "99.75%: 400 answered, 1 cut",
        "80%",
        "0:30  kill",
        "well after 2.0 s",
        "not tried",
        "passed",
    ):
        assert words in screen.getvalue()
    told = json.loads(json.dumps(soak_json(found)))
    assert [each["name"] for each in told["faults"]] == ["kill", "redis"]
    assert (told["passed"], len(told["samples"]), told["figures"]["utilisation"]) == (True, 60, 0.8)
    page = soak_page(found)
    assert page.count("<polyline") == 4
    assert "kill -9 of &lt;tts-1&gt;" in page
    assert 'class="lost"' in page
    assert "Failed" in soak_page(report(samples=()))
