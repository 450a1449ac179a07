"""How the decisions of a turn are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from dispatcher.routing.decisions import Decision, End
from dispatcher.telemetry.turn_explanation import outcome_text, why_view
from dispatcher.telemetry.turn_log import TurnEnd

DECISION = Decision(
    at_ms=1_700_000_000_000,
    turn_id="5f0c1d2e3b4a",
    service="llm",
    lease_id="lease",
    instance="llm-1",
    reason="response_time: normal priority, load llm-1 30, llm-2 90",
    candidates=("llm-1 0/8", "llm-2 7/8", "llm-3 ejected"),
    end=End(outcome="ok", latency_ms=311.6),
)


def told(*decisions: Decision, end: TurnEnd | None = None) -> list[str]:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(why_view(decisions, end))
    return [" ".join(line.split()) for line in capture.get().splitlines()]


def test_a_call_is_told_with_its_time_in_the_turn_reason_and_candidates() -> None:
    lines = told(DECISION, replace(DECISION, at_ms=DECISION.at_ms + 250, service="tts", instance="tts-2"))
    assert lines[0].startswith("turn 5f0c1d2e3b4a, 2 calls from 2023-11-1")
    assert lines[1:5] == [
        "+0 ms llm to llm-1: ok after 312 ms",
        "because response_time: normal priority, load llm-1 30, llm-2 90",
        "among llm-1 0/8, llm-2 7/8, llm-3 ejected",
        "+250 ms tts to tts-2: ok after 312 ms",
    ]


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (TurnEnd(outcome="cut", reason="llm: llm-1: silent for 5 s"), "cut, llm: llm-1: silent for 5 s"),
        (
            TurnEnd(outcome="answered", reason="it repeats itself"),
            "answered, it repeats itself",
        ),
        (TurnEnd(outcome="answered"), "answered"),
        (TurnEnd(outcome="answered", prompt_tokens=812), "answered; the prompt had 812 tokens"),
        (
            TurnEnd(outcome="answered", prompt_tokens=812, cached_tokens=768),
            "answered; the prompt had 812 tokens, 768 of them cached",
        ),
    ],
)
def test_the_end_of_the_turn_is_told_last_with_its_reason(end: TurnEnd, line: str) -> None:
    assert told(DECISION, end=end)[-1] == f"the turn ended: {line}"


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (TurnEnd(outcome="device left"), "nothing was heard"),
        (TurnEnd(outcome="answered", first_audio_ms=880.4), "heard 880 ms after the end of speech"),
        (
            TurnEnd(outcome="answered", first_audio_ms=880.4, silence_ms=704),
            "heard 1584 ms after the end of speech, of it 704 ms of silence before the turn began",
        ),
    ],
)
def test_the_wait_is_told_from_the_true_end_of_speech_with_its_silence(end: TurnEnd, line: str) -> None:
    assert told(DECISION, end=end)[-2] == line


@pytest.mark.parametrize(
    ("decision", "text"),
    [
        (replace(DECISION, end=End(outcome="failed", latency_ms=5)), "failed after 5 ms"),
        (
            replace(DECISION, end=End(outcome="ignored", latency_ms=5)),
            "ended without a verdict after 5 ms (cancelled, or not the instance's fault)",
        ),
        (
            replace(DECISION, end=End(outcome="failed", latency_ms=3001, reason="no first sentence in time")),
            "failed after 3001 ms: no first sentence in time",
        ),
        (
            replace(DECISION, end=End(outcome="ignored", latency_ms=5, reason="HTTP 400: too long")),
            "ended without a verdict after 5 ms: HTTP 400: too long",
        ),
        (replace(DECISION, end=None, held=True), "under way"),
        (replace(DECISION, end=None), "no end is known: its worker died, or it ends at this moment"),
    ],
)
def test_every_way_to_end_has_its_words(decision: Decision, text: str) -> None:
    assert str(outcome_text(decision)) == text


def test_a_turn_without_a_call_is_told_by_its_end_and_its_step() -> None:
    end = TurnEnd(
        outcome="turned away", reason="too many at once: a line of 9 s", turn_id="5f0c1d", overload_step=5
    )
    lines = told(end=replace(end, ended_at_s=1_700_000_000))
    assert lines[0].startswith("turn 5f0c1d, no calls, ended 2023-11-1")
    said = " ".join(lines)
    assert "the turn ended: turned away, too many at once: a line of 9 s; it began on overload step 5" in said
