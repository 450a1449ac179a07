"""The bounds of a bench."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dispatcher.ops.bench.bounds import Run, Verdict, judge
from dispatcher.ops.bench.device_report import DeviceReport, print_report, summary_table
from dispatcher.ops.bench.samples import Samples
from dispatcher.terminal.figures import cells_of
from tests.unit.ops.bench.bench_results import run, samples

BASELINE = samples(800.0, 800.0, 800.0)


def verdict(words: str, *runs: Run, baseline: Samples = BASELINE) -> Verdict:
    """Return the one verdict whose bound has these words."""
    (found,) = [verdict for verdict in judge(baseline, runs) if words in verdict.wanted]
    return found


@pytest.mark.parametrize(("p50_ms", "passed"), [(820.0, True), (820.1, False)])
def test_one_device_may_be_20_ms_above_the_floor(p50_ms: float, *, passed: bool) -> None:
    assert verdict("1 device:", run(1, samples(700.0, p50_ms, 2000.0))).passed is passed


@pytest.mark.parametrize(("p95_ms", "passed"), [(1000.0, True), (1001.0, False)])
def test_a_hundred_devices_may_be_a_quarter_above_the_floor(p95_ms: float, *, passed: bool) -> None:
    heard = samples(*[800.0] * 18, p95_ms, p95_ms)

    assert verdict("first audio p95", run(100, heard)).passed is passed


@pytest.mark.parametrize(("gaps", "passed"), [(0, True), (1, True), (2, False)])
def test_one_turn_in_a_hundred_is_one_too_many_for_gaps(gaps: int, *, passed: bool) -> None:
    heard = samples(*[800.0] * 200, gaps=gaps)

    assert verdict("with a gap", run(100, heard)).passed is passed


def test_a_lost_turn_fails_and_is_counted() -> None:
    found = verdict("no turn lost", run(100, samples(800.0, lost=("no answer",))))

    assert (found.passed, found.measured) == (False, "1 of 2")


def test_memory_is_judged_at_its_highest_without_broker_and_instances() -> None:
    runs = [run(1, BASELINE, pss_mb=100.0), run(10, BASELINE, pss_mb=151.0)]

    found = verdict("PSS", *runs)

    # Front, one worker and beat; broker and instance have as much again.
    assert (found.passed, found.measured) == (False, "453 MB")


def test_memory_is_not_judged_where_the_system_does_not_tell() -> None:
    assert verdict("PSS", run(1, BASELINE, pss_mb=None)).passed is None


@pytest.mark.parametrize(("cpu_s", "passed"), [(0.075, True), (0.076, False)])
def test_cpu_is_shared_among_all_turns_that_were_tried(cpu_s: float, *, passed: bool) -> None:
    heard = samples(800.0, 800.0, lost=("gone",))

    assert verdict("CPU", run(100, heard, cpu_s=cpu_s)).passed is passed


def test_bounds_of_numbers_that_were_not_run_say_so() -> None:
    found = judge(BASELINE, [run(10, BASELINE)])

    unjudged = [verdict.measured for verdict in found if verdict.passed is None]
    assert unjudged == ["1 not run", "100 not run", "100 not run", "100 not run"]


def test_what_other_programs_spent_is_told_apart() -> None:
    assert run(1, BASELINE).other_programs_cpu_s == pytest.approx(2.0)


def printed(report: DeviceReport) -> str:
    out = io.StringIO()
    print_report(Console(file=out, width=160), report)
    return out.getvalue()


def test_the_report_shows_times_faults_costs_and_verdicts() -> None:
    heard = samples(840.0, 880.0, lost=("the front closed the connection",))
    report = DeviceReport(before=BASELINE, after=BASELINE, runs=(run(10, heard),))

    text = printed(report)

    for shown in (
        "baseline before",
        "840/880",
        "1.05/1.10",
        "all of ours",
        "timed-asr-1",
        "generator",
        "1 not run",
    ):
        assert shown in text
    assert "lost: the front closed the connection" in text


def test_the_report_of_a_run_that_heard_nothing_is_printed_too() -> None:
    silent = samples(lost=("no answer", "no answer"))

    text = printed(DeviceReport(before=BASELINE, after=BASELINE, runs=(run(1, silent),)))

    assert text.count("lost: no answer") == 1
    assert "fail" in text


def test_json_holds_every_turn_and_the_verdicts() -> None:
    report = DeviceReport(before=BASELINE, after=BASELINE, runs=(run(1, samples(810.0)),))

    fields = report.as_json()

    assert fields["runs"][0]["turns"][0]["first_audio_ms"] == 810.0
    assert fields["runs"][0]["processes"]["front"]["role"] == "front"
    assert fields["verdicts"][0]["passed"] is True


def test_the_table_of_the_readme_has_the_baseline_and_a_row_for_each_number_of_devices() -> None:
    heard = samples(840.0, 880.0, lost=("gone",), gaps=1)
    report = DeviceReport(
        before=BASELINE, after=BASELINE, runs=(run(10, heard), run(20, samples(lost=("x",))))
    )

    baseline, ten, twenty = cells_of(summary_table(report))["rows"]

    assert baseline[0] == "baseline, one bare script"
    assert ten == ["10", "840/880", "1.05/1.10", "50.0 %", "1", "10 ms", "150 MB"]
    assert twenty[1:3] == ["–", "–"]
