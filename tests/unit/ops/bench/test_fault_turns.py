"""One turn of `dispatcher bench faults`, read from its decisions and from what the device heard."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from dispatcher.device_simulator import TurnResult
from dispatcher.device_simulator.turn import Sentence
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.messages import Service
from dispatcher.ops.bench.fault_cases import FAULT_CASES
from dispatcher.ops.bench.fault_turns import read_turn, said_in
from dispatcher.routing.decisions import Decision, End
from dispatcher.routing.rules.constants import PROBE_REASON

USUAL: Final = "The kettle is warm."
HEARD: Final = TurnResult(
    transcript="",
    emotion="",
    sentences=(Sentence(text=USUAL, at_ms=1.0),),
    transcript_ms=None,
    first_audio_ms=300.0,
    end_ms=900.0,
    gaps=0,
    gap_ms=0.0,
    late=0,
    dropped=0,
    refused=0,
    unplayed=0,
    frames=8,
    packets=(),
)


def pick(
    service: Service, instance: str, at_ms: int, outcome: str = "ok", reason: str = "in turn"
) -> Decision:
    return Decision(
        at_ms=at_ms,
        turn_id="a-turn",
        service=service,
        lease_id=f"{instance}-{at_ms}",
        instance=instance,
        reason=f"response_time: {reason}",
        candidates=(),
        end=End(outcome=outcome, latency_ms=100.0) if outcome else None,
    )


def test_a_turn_that_a_second_instance_saved_goes_unnoticed() -> None:
    made = {
        "llm": [pick("llm", "llm-1", 1000, "failed"), pick("llm", "llm-2", 1800)],
        "tts": [pick("tts", "tts-1", 2000)],
    }
    turn = read_turn(FAULT_CASES["llm"], made, HEARD, USUAL)  # type: ignore[arg-type]
    assert turn.asked == ("llm-1", "llm-2")
    assert (turn.asked_again_ms, turn.answered_by, turn.first_result_ms) == (800.0, "llm-2", 1000.0)
    assert turn.unnoticed
    assert turn.lost == ""


def test_a_probe_beside_the_turn_is_no_second_request() -> None:
    made = {"llm": [pick("llm", "llm-2", 1000), pick("llm", "llm-1", 1001, "probed", PROBE_REASON)]}
    turn = read_turn(FAULT_CASES["llm"], made, HEARD, USUAL)  # type: ignore[arg-type]
    assert (turn.asked, turn.asked_again_ms, turn.first_result_ms) == (("llm-2",), None, None)


@pytest.mark.parametrize(
    ("service", "first_ms"),
    [("asr", 400.0), ("llm", 600.0), ("tts", 700.0 - 600.0)],
    ids=["asr", "llm", "tts"],
)
def test_the_first_result_is_that_of_the_service_that_fails(service: Service, first_ms: float) -> None:
    made = {
        "asr": [pick("asr", "asr-1", 1000)],
        "llm": [pick("llm", "llm-1", 1400)],
        "tts": [pick("tts", "tts-1", 2000)],
    }
    heard = replace(HEARD, first_audio_ms=700.0)
    assert read_turn(FAULT_CASES[service], made, heard, USUAL).first_result_ms == first_ms  # type: ignore[arg-type]


def test_a_call_that_is_under_way_has_answered_nothing() -> None:
    made = {"tts": [pick("tts", "tts-1", 2000, "")]}
    turn = read_turn(FAULT_CASES["tts"], made, replace(HEARD, first_audio_ms=None), USUAL)  # type: ignore[arg-type]
    assert (turn.answered_by, turn.first_result_ms) == ("", None)


def test_other_words_gaps_and_apologies_are_noticed() -> None:
    nothing: dict[Service, list[Decision]] = {"llm": []}
    twice = replace(HEARD, sentences=HEARD.sentences * 2)
    sorry = replace(HEARD, sentences=(Sentence(text=next(iter(APOLOGIES.values())), at_ms=1.0),))
    turns = [
        read_turn(FAULT_CASES["llm"], nothing, each, USUAL) for each in (twice, replace(HEARD, gaps=1), sorry)
    ]
    assert [turn.unnoticed for turn in turns] == [False, False, False]
    assert [turn.lost for turn in turns] == ["", "", "answered with an apology"]
    assert said_in(twice) == f"{USUAL} {USUAL}"
