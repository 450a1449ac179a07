"""What is counted of the entries that pass by, and which calls are hedges, retries and probes."""

from __future__ import annotations

import pytest

from dispatcher.console.call_history import MAX_STAGES, NOT_SEEN, CallHistory
from dispatcher.console.stream_metrics import StreamMetrics
from dispatcher.routing.call_usage import SEPARATOR
from dispatcher.routing.rules.constants import FAILED_THIS_CALL, PROBE_REASON


def pick(
    instance: str, lease: str = "l1", *, turn: str = "t1", without: str = "", why: str = ""
) -> dict[str, str]:
    """Return a pick as pick_lease.lua writes it."""
    listed = f"a 0/8, b {FAILED_THIS_CALL}" if without == "b" else f"a {FAILED_THIS_CALL}, b 0/8"
    return {
        "turn": turn,
        "service": "llm",
        "lease": lease,
        "instance": instance,
        "reason": f"round_robin: {why or 'normal priority, next'}",
        "candidates": listed if without else "a 0/8, b 0/8",
    }


def end(outcome: str, lease: str = "l1") -> dict[str, str]:
    """Return an end as finish.lua writes it."""
    return {"lease": lease, "outcome": outcome, "latency_ms": "250", "reason": ""}


def value(metrics: StreamMetrics, name: str, **labels: str) -> float | None:
    """Return a sample, None where there is none."""
    return metrics.registry.get_sample_value(name, labels)


def test_a_pick_beside_a_call_under_way_is_a_hedge() -> None:
    history = CallHistory()
    assert history.observe(pick("a")).kind == "call"
    assert history.observe(pick("b", "l2", without="a")).kind == "hedge"


def test_a_pick_after_a_call_that_failed_is_a_retry() -> None:
    history = CallHistory()
    history.observe(pick("a"))
    assert history.observe(end("failed")) == ("end", "llm", True)
    assert history.observe(pick("b", "l2", without="a")).kind == "retry"


def test_an_instance_that_stands_by_makes_neither() -> None:
    history = CallHistory()
    assert history.observe(pick("a", without="b")).kind == "call"
    history.observe(end("ok"))
    assert history.observe(pick("a", "l2", turn="t2", without="b")).kind == "call"


def test_a_probe_is_told_by_its_reason() -> None:
    assert CallHistory().observe(pick("a", why=PROBE_REASON)).kind == "probe"


def test_calls_whose_end_never_comes_are_forgotten() -> None:
    history = CallHistory()
    for number in range(MAX_STAGES + 1):
        history.observe(pick("a", f"l{number}", turn=f"t{number}"))
    assert history.observe(end("ok", "l0")) == NOT_SEEN
    assert history.observe(end("ok", "l1")) == ("end", "llm", False)


@pytest.mark.parametrize(
    ("first", "second", "wasted_s"),
    [("ok", "ok", 0.25), ("ok", "ignored", 0.25), ("failed", "ok", 0.25), ("ignored", "ignored", 0.5)],
)
def test_of_a_hedged_call_the_time_is_wasted_whose_result_nobody_used(
    first: str, second: str, wasted_s: float
) -> None:
    metrics, history = StreamMetrics(), CallHistory()
    hedged = (pick("a"), pick("b", "l2", without="a"), end(first, "l2"), end(second))
    alone = (pick("a", "l3", turn="t2"), end("ok", "l3"), pick("b", "l4", turn="t3"), end("ok", "l4"))
    for entry in (*hedged, *alone):
        metrics.add_decision(entry, history.observe(entry))
    assert value(metrics, "xiaozhi_wasted_instance_seconds_total", service="llm") == wasted_s


def test_decisions_are_counted_by_service_and_instance() -> None:
    metrics, history = StreamMetrics(), CallHistory()
    for entry in (pick("a"), pick("b", "l2", without="a"), end("ok")):
        metrics.add_decision(entry, history.observe(entry))
    assert value(metrics, "xiaozhi_route_decisions_total", service="llm", instance="b") == 1
    assert value(metrics, "xiaozhi_hedges_total", service="llm") == 1
    assert value(metrics, "xiaozhi_retries_total", service="tts") == 0
    assert value(metrics, "xiaozhi_calls_total", service="llm", outcome="ok") == 1
    assert value(metrics, "xiaozhi_call_seconds_sum", service="llm") == 0.25


def test_a_turn_is_counted_with_its_times_in_seconds() -> None:
    metrics = StreamMetrics()
    metrics.add_record(
        "turn",
        {
            "outcome": "answered",
            "first_audio_ms": 700.0,
            "asr_ms": 90,
            "llm_wait_ms": 2,
            "gaps": 2,
            "device": "aa",
        },
    )
    assert value(metrics, "xiaozhi_turns_total", outcome="answered") == 1
    assert value(metrics, "xiaozhi_turns_total", outcome="apologised") == 0
    assert (value(metrics, "xiaozhi_reply_gaps_total"), value(metrics, "xiaozhi_reply_frames_total")) == (
        2,
        0,
    )
    assert value(metrics, "xiaozhi_first_audio_seconds_sum") == pytest.approx(0.7)
    assert value(metrics, "xiaozhi_first_audio_seconds_bucket", le="0.5") == 0
    assert value(metrics, "xiaozhi_stage_seconds_sum", stage="asr") == pytest.approx(0.09)
    assert value(metrics, "xiaozhi_slot_wait_seconds_count", service="llm") == 1


def test_what_another_version_writes_does_no_harm() -> None:
    metrics = StreamMetrics()
    metrics.add_record("turn", {"outcome": "sung", "first_audio_ms": "soon", "asr_ms": None})
    for entry in ({"lease": "unknown"}, end("ok", "of a pick that was not seen")):
        metrics.add_decision(entry, CallHistory().observe(entry))
    assert value(metrics, "xiaozhi_first_audio_seconds_count") == 0
    assert value(metrics, "xiaozhi_turns_total", outcome="sung") is None


def test_decisions_of_the_tuner_are_counted_by_their_event() -> None:
    metrics = StreamMetrics()
    metrics.add_record("decision", {"event": "tried"})
    metrics.add_record("decision", {"event": "weights adjusted"})
    assert value(metrics, "xiaozhi_tuner_decisions_total", event="tried") == 1


def test_usage_is_counted_by_instance_and_names_no_device() -> None:
    metrics = StreamMetrics()
    llm, tts = (
        SEPARATOR.join(("2026-11-30", *each, "02:00:00:00:00:01", "kids"))
        for each in (("llm", "llm-1"), ("tts", "tts-1"))
    )
    counters = {"calls": "2", "prompt_tokens": "812", "cached_tokens": "768", "cost": "0.25"}
    spoken = {"characters": "40", "seconds": "2.5", "cost": "-1", "unknown": "1"}
    fields = {f"{llm}{SEPARATOR}{unit}": amount for unit, amount in counters.items()}
    fields |= {f"{tts}{SEPARATOR}{unit}": amount for unit, amount in spoken.items()}
    metrics.add_record("usage", {"counters": fields})
    assert value(metrics, "xiaozhi_llm_tokens_total", instance="llm-1", kind="prompt") == 812
    assert value(metrics, "xiaozhi_llm_tokens_total", instance="llm-1", kind="cached") == 768
    assert value(metrics, "xiaozhi_tts_characters_total", instance="tts-1") == 40
    assert value(metrics, "xiaozhi_speech_seconds_total", service="tts", instance="tts-1") == 2.5
    assert value(metrics, "xiaozhi_usage_cost_total", service="llm", instance="llm-1") == 0.25
    assert value(metrics, "xiaozhi_usage_cost_total", service="tts", instance="tts-1") is None
