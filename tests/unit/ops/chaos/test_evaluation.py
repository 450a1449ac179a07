"""Evaluation of windows: turns, figures, problems."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from dispatcher.catalogue.kpi_targets import KpiTargets
from dispatcher.ops.chaos.evaluation import WindowSnapshot, evaluate, verdict_of, worst
from dispatcher.ops.chaos.report_tables import as_json, report_view
from dispatcher.ops.chaos.turn_outcomes import error_ratio, failover_s
from dispatcher.routing.overview import InstanceView, Overview, ServiceView, State
from tests.unit.ops.chaos.verify_reports import LOAD, judged, report, turn, window


def test_failover_lasts_from_the_fault_to_the_end_of_the_last_turn_that_it_hurt() -> None:
    turns = [turn(1001, "apologised"), turn(1003), turn(1004.5, "cut"), turn(1020)]
    assert failover_s(window(), turns) == 4.5


def test_without_a_hurt_turn_failover_took_no_time() -> None:
    assert failover_s(window(), [turn(1001), turn(1002)]) == 0


def test_a_turn_belongs_to_the_window_in_which_it_ended() -> None:
    before, inside, after = turn(999.9), turn(1000.0), turn(1030.0)
    assert window().of([before, inside, after]) == [inside]


def test_an_apology_counts_as_an_error_and_no_turn_is_no_ratio() -> None:
    assert error_ratio([turn(1001), turn(1002, "apologised")]) == 0.5
    assert error_ratio([]) is None


def test_a_silent_turn_fails_the_run_and_an_apology_does_not() -> None:
    hurt = judged(window(), turn(1001, "apologised"), *[turn(1000 + each) for each in range(2, 12)])
    assert hurt.problems == []
    silent = judged(window(), turn(1001, "silent"))
    assert silent.problems == ["1 silent turn"]
    assert report(hurt, silent).problems == ["kill: 1 silent turn"]


def test_a_broken_connection_fails_the_run_but_where_the_front_itself_was_killed() -> None:
    lost = turn(1001, "disconnected")
    assert judged(window("worker"), lost).problems == ["1 connections broke in a turn"]
    assert judged(window("front-kill"), lost).problems == []


def test_a_sentence_that_is_spoken_twice_fails_the_run_and_a_late_turn_is_counted() -> None:
    found = judged(
        window(), replace(turn(1001), repeated_sentences=1), replace(turn(1002), first_audio_ms=5001.0)
    )
    assert found.problems == ["1 turns were spoken twice"]
    assert (found.repeated, found.late) == (1, 1)


def test_a_failover_beyond_its_target_and_a_stack_that_stays_ill_fail_the_run() -> None:
    long_window = replace(window(well_s=None), ended_at_s=1100.0)
    found = judged(long_window, turn(1001, "apologised"), turn(1041, "apologised"))
    assert found.problems == ["not well again in time", "failover took 41.0 s"]


def test_the_errors_of_a_window_are_those_that_devices_heard() -> None:
    found = judged(window(), turn(1001, "refused"), turn(1002), turn(1003), turn(1004))
    assert found.figure("errors").value == 0.25
    assert found.figure("errors").detail == "1 of 4 turns"


def test_a_row_whose_errors_are_in_alert_does_not_read_pass() -> None:
    good = [turn(1001 + each) for each in range(12)]
    assert judged(window("front"), *good).verdict == "pass"
    hurt = judged(window("front"), *good, *[turn(1014 + each, "refused") for each in range(3)])
    assert hurt.problems == []
    assert hurt.verdict == "errors in alert"


def test_what_was_down_before_the_run_is_counted_against_no_fault() -> None:
    one, other = view("llm-1", state="down"), view("llm-2")
    service = ServiceView(service="llm", algorithm="round_robin", waiting=0, instances=(one, other))
    fleet = Overview(services=(service,), queues={})

    def unhealthy(down_before: frozenset[str]) -> float | None:
        seen = WindowSnapshot(turns=(), load=(LOAD,), before=fleet, after=fleet, down_before=down_before)
        return evaluate(window("none"), [turn(1001)], seen, KpiTargets()).figure("instances_healthy").value

    assert unhealthy(frozenset()) == 1
    assert unhealthy(frozenset({"llm-1"})) == 0


def test_a_report_says_what_was_down_before_it_began() -> None:
    run = replace(report(judged(window(), turn(1001))), down_before=("llm-1", "tts-2"))
    assert as_json(run)["down_before"] == ["llm-1", "tts-2"]
    console = Console(width=200)
    with console.capture() as capture:
        console.print(report_view(run))
    assert "down before it began and not counted: llm-1, tts-2" in capture.get()


def view(name: str, *, state: State = "ready") -> InstanceView:
    return replace(READY, name=name, state=state)


READY = InstanceView(
    service="llm", name="", endpoint="", priority="normal", weight=1, effective_weight=1, cap=8, in_flight=0,
    state="ready", back_in_s=None, latency_ewma_ms=None, error_ratio=0, failures=0, check_run=0,
    last_reason="",
    failed_s_ago=None,
)  # fmt: skip


def test_an_alert_fails_the_time_with_nothing_broken_only() -> None:
    turns = [turn(1001 + each / 10, "apologised") for each in range(12)]
    calm = judged(window("none"), *turns)
    # Beyond the alert, but no fault explains it.
    assert "errors beyond its alert" not in judged(window("kill"), *turns).problems
    assert verdict_of(replace(calm.figure("errors"), judged=True)) == "alert"


def test_the_worst_of_a_figure_names_its_fault_and_skipped_ones_do_not_count() -> None:
    calm = judged(window("none", 970.0), turn(971))
    hurt = judged(window("kill"), turn(1001, "apologised"), turn(1002))
    skipped = judged(replace(window("redis"), skipped="no broker of ours"), turn(1001, "silent"))
    found = worst([calm, hurt, skipped], "failover")
    assert found is not None
    assert (found[0].value, found[1]) == (1.0, "kill")
    assert skipped.problems == []
    assert worst([calm, hurt], "share") is None
