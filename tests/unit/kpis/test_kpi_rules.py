"""What each figure says of turns, faults, instances, fronts and the host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.catalogue.kpi_targets import KpiTargets
from dispatcher.kpis.kpi_rules import (
    InstanceFault,
    Kpi,
    KpiFacts,
    KpiName,
    TurnFacts,
    evaluate_kpis,
)
from dispatcher.kpis.shares import ShareWindow

NOW_S = 1000.0


def turn(
    outcome: str = "answered",
    *,
    asked: bool = True,
    first_audio_s: float | None = 0.8,
    instances_s: float | None = 0.7,
    ended_at_s: float = NOW_S,
) -> TurnFacts:
    return TurnFacts(
        ended_at_s=ended_at_s,
        outcome=outcome,
        asked=asked,
        first_audio_s=first_audio_s,
        instances_s=instances_s,
    )


def figure(name: KpiName, facts: KpiFacts) -> Kpi:
    return next(kpi for kpi in evaluate_kpis(facts, KpiTargets()) if kpi.name == name)


def test_without_any_facts_everything_is_unknown_and_never_0() -> None:
    figures = evaluate_kpis(KpiFacts(now_s=NOW_S), KpiTargets())
    assert [kpi.name for kpi in figures] == [
        *("share", "instances_healthy", "failover", "own_share", "first_audio_p50", "first_audio_p95"),
        *("devices", "errors", "cpu", "memory", "network"),
    ]
    assert {kpi.value for kpi in figures} == {None}


def test_targets_and_alert_bounds_are_those_of_the_requirements() -> None:
    bounds = {kpi.name: (kpi.target, kpi.alert) for kpi in evaluate_kpis(KpiFacts(now_s=NOW_S), KpiTargets())}
    assert bounds == {
        "share": (0.05, 0.10),
        "instances_healthy": (0, 0),
        "failover": (30, 60),
        "own_share": (0.5, 1.0),
        "first_audio_p50": (0.5, 1.0),
        "first_audio_p95": (1.0, None),
        "devices": (50, 60),
        "errors": (0.01, 0.05),
        "cpu": (0.80, 0.90),
        "memory": (0.85, 0.95),
        "network": (0.80, 0.90),
    }


def test_an_apology_and_a_cut_answer_are_errors_and_silence_or_a_device_that_left_is_nothing() -> None:
    turns = [
        *(turn() for _ in range(6)),
        turn("apologised"),
        turn("cut"),
        turn("nothing said"),
        turn("spoken over", first_audio_s=None),
        turn("nothing said", asked=False),
        turn("device left"),
    ]
    errors = figure("errors", KpiFacts(now_s=NOW_S, turns=turns))
    assert (errors.value, errors.judged, errors.detail) == (0.3, True, "3 of 10 turns, 1 cut off")


def test_a_device_that_is_turned_away_is_an_error_of_its_own_kind() -> None:
    away, sorry = turn("turned away", first_audio_s=None), turn("apologised")
    assert (away.is_error, away.is_turned_away) == (True, True)
    assert (sorry.is_error, sorry.is_turned_away) == (True, False)


def test_few_turns_are_shown_and_not_judged() -> None:
    facts = KpiFacts(now_s=NOW_S, turns=[turn("apologised")] * 9)
    assert (figure("errors", facts).value, figure("errors", facts).judged) == (1.0, False)
    assert not figure("first_audio_p50", facts).judged


def test_response_is_shown_with_and_without_the_time_of_the_instances() -> None:
    turns = [turn(first_audio_s=1.0 + tenth / 10, instances_s=0.9) for tenth in range(10)]
    facts = KpiFacts(now_s=NOW_S, turns=[*turns, turn(first_audio_s=None), turn(instances_s=None)])
    assert figure("first_audio_p50", facts).value == pytest.approx(1.4)
    assert figure("first_audio_p95", facts).value == pytest.approx(1.9)
    own = figure("own_share", facts)
    assert own.value == pytest.approx(1.0)
    assert own.detail == "p50 500 ms, p95 1000 ms"


def test_the_first_audio_counts_from_the_true_end_of_speech_and_our_share_does_not() -> None:
    spoken = replace(turn(first_audio_s=0.9, instances_s=0.6), silence_s=0.7)
    facts = KpiFacts(now_s=NOW_S, turns=[spoken] * 9)
    first_audio = figure("first_audio_p50", facts)
    assert first_audio.value == pytest.approx(1.6)
    assert first_audio.detail == "of it 700 ms of silence"
    # The silence is a choice of the YAML, and no trouble of the stack.
    assert (first_audio.target, first_audio.alert) == pytest.approx((0.5 + 0.7, 1.0 + 0.7))
    assert figure("own_share", facts).value == pytest.approx(0.3)


def test_instances_that_overlap_make_no_negative_share_of_ours() -> None:
    facts = KpiFacts(now_s=NOW_S, turns=[turn(first_audio_s=0.5, instances_s=0.6)])
    assert figure("own_share", facts).value == 0


def test_failover_lasts_from_the_first_failed_call_to_the_last_turn_that_it_hurt() -> None:
    fault = InstanceFault(instance="llm-2", began_at_s=900, last_at_s=910)
    turns = [
        turn("apologised", ended_at_s=899),
        turn("apologised", ended_at_s=902),
        turn("apologised", ended_at_s=912.5),
        turn("apologised", ended_at_s=950),
        turn(ended_at_s=920),
    ]
    failover = figure("failover", KpiFacts(now_s=NOW_S, turns=turns, faults=[fault]))
    assert (failover.value, failover.detail) == (12.5, "llm-2")


def test_a_fault_that_hurt_nobody_took_no_time_and_one_long_ago_is_forgotten() -> None:
    recent = InstanceFault(instance="llm-2", began_at_s=900, last_at_s=910)
    assert figure("failover", KpiFacts(now_s=NOW_S, faults=[recent])).value == 0
    old = InstanceFault(instance="llm-2", began_at_s=600, last_at_s=699)
    assert figure("failover", KpiFacts(now_s=NOW_S, faults=[old])).value is None


def test_unhealthy_instances_are_counted_and_named() -> None:
    assert figure("instances_healthy", KpiFacts(now_s=NOW_S, unhealthy=())).value == 0
    healthy = figure("instances_healthy", KpiFacts(now_s=NOW_S, unhealthy=("llm-1", "tts-2")))
    assert (healthy.value, healthy.detail) == (2, "llm-1, tts-2")


def test_devices_are_those_in_a_turn_or_listening() -> None:
    devices = figure("devices", KpiFacts(now_s=NOW_S, busy_devices=3, devices=40))
    assert (devices.value, devices.detail) == (3, "40 connected")


def test_the_worst_share_is_told_with_the_numbers_of_all() -> None:
    windows = [
        ShareWindow(
            group="asr normal", judged=False, signature="", deviation=0.3, in_words="asr-1 80% of 50%"
        ),
        ShareWindow(group="tts high", judged=True, signature="", deviation=0.02, in_words="tts-1 52% of 50%"),
        ShareWindow(group="tts low", judged=True, signature=""),
    ]
    share = figure("share", KpiFacts(now_s=NOW_S, windows=windows))
    assert (share.value, share.detail) == (0.02, "asr-1 80% of 50%; tts-1 52% of 50%")


def test_the_box_is_told_as_it_was_measured() -> None:
    facts = KpiFacts(now_s=NOW_S, cpu_ratio=0.5, memory_ratio=0.25)
    assert [figure(name, facts).value for name in ("cpu", "memory", "network")] == [0.5, 0.25, None]


def test_a_disk_that_keeps_nothing_is_told_with_what_that_costs() -> None:
    assert figure("disk", KpiFacts(now_s=NOW_S, disk_ratio=0.5)).detail == ""
    full = figure("disk", KpiFacts(now_s=NOW_S, disk_ratio=1.0, disk_trouble="the disk is full"))
    assert full.detail == "the disk is full: logs and records are not kept"
