"""Turns with a fault as read from decisions and device, and their verdicts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from dispatcher.device_simulator import TurnResult
from dispatcher.device_simulator.turn import Sentence
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.errors import ConfigError
from dispatcher.messages import SERVICES, Service
from dispatcher.ops.bench.fault_bench import parse_modes
from dispatcher.ops.bench.fault_cases import FAULT_CASES, Decisions, ServiceCase
from dispatcher.ops.bench.fault_report import FaultReport, ModeResult, notes, print_faults
from dispatcher.ops.bench.fault_turns import FaultTurn, read_turn
from dispatcher.routing.decisions import Decision, End

WELL = FaultTurn(
    first_result_ms=150.0,
    first_audio_ms=220.0,
    asked=("A",),
    asked_again_ms=None,
    answered_by="A",
    same_words=True,
)


LLM = FAULT_CASES["llm"]


def made(
    asr: Sequence[Decision] = (), llm: Sequence[Decision] = (), tts: Sequence[Decision] = ()
) -> Decisions:
    return {"asr": asr, "llm": llm, "tts": tts}


def decision(service: Service, instance: str, at_ms: int, outcome: str | None = "ok") -> Decision:
    return Decision(
        at_ms=at_ms,
        turn_id="a-turn",
        service=service,
        lease_id=f"{at_ms}",
        instance=instance,
        reason="",
        candidates=(),
        end=End(outcome=outcome, latency_ms=1) if outcome else None,
    )


def heard(*sentences: str, gaps: int = 0) -> TurnResult:
    return TurnResult(
        transcript="",
        emotion="",
        sentences=tuple(Sentence(text=each, at_ms=0) for each in sentences),
        transcript_ms=1,
        first_audio_ms=950,
        end_ms=2000,
        gaps=gaps,
        gap_ms=0,
        late=0,
        dropped=0,
        refused=0,
        unplayed=0,
        frames=9,
        packets=(),
    )


def test_the_first_sentence_counts_from_the_first_pick_to_the_task_that_speaks_it() -> None:
    llm = [decision("llm", "A", 1000, None), decision("llm", "B", 1750)]
    tts = [decision("tts", "T", 1900), decision("tts", "T", 2000)]
    assert read_turn(LLM, made(llm=llm, tts=tts), heard("One.", "Two."), "One. Two.") == FaultTurn(
        first_result_ms=900.0,
        first_audio_ms=950,
        asked=("A", "B"),
        asked_again_ms=750.0,
        answered_by="B",
        same_words=True,
    )


def test_a_transcript_counts_from_the_first_pick_to_the_task_that_answers_it() -> None:
    asr = [decision("asr", "A", 1000, "ignored"), decision("asr", "B", 1800)]
    turn = read_turn(
        FAULT_CASES["asr"], made(asr=asr, llm=[decision("llm", "L", 1910)]), heard("One."), "One."
    )
    assert (turn.first_result_ms, turn.asked_again_ms, turn.answered_by) == (910.0, 800.0, "B")


def test_the_first_audio_counts_without_the_time_of_the_llm() -> None:
    tts = [decision("tts", "A", 1150, "ignored"), decision("tts", "B", 1800)]
    turn = read_turn(
        FAULT_CASES["tts"], made(llm=[decision("llm", "L", 1000)], tts=tts), heard("One."), "One."
    )
    assert (turn.first_result_ms, turn.asked_again_ms, turn.answered_by) == (950 - 150, 650.0, "B")


@pytest.mark.parametrize("service", SERVICES)
def test_a_turn_without_decisions_has_no_first_result(service: Service) -> None:
    assert read_turn(FAULT_CASES[service], made(), heard("One."), "One.").first_result_ms is None


def test_an_apology_is_a_lost_turn() -> None:
    turn = read_turn(
        LLM, made(llm=[decision("llm", "A", 0, "failed")]), heard(APOLOGIES["sorry", "en"]), "One."
    )
    assert turn.lost == "answered with an apology"
    assert (turn.answered_by, turn.first_result_ms, turn.unnoticed) == ("", None, False)


@pytest.mark.parametrize(
    ("turn", "quiet", "busy"),
    [
        (WELL, "pass", "pass"),
        (replace(WELL, first_result_ms=1000.0), "pass", "pass"),
        (replace(WELL, first_result_ms=1000.1), "FAIL", "host not quiet"),
        (replace(WELL, first_result_ms=5150.0, asked_again_ms=5000.0), "FAIL", "FAIL"),
        (replace(WELL, gaps=1), "FAIL", "host not quiet"),
        (replace(WELL, same_words=False), "FAIL", "FAIL"),
        (replace(WELL, first_result_ms=None, lost="no answer"), "FAIL", "FAIL"),
    ],
)
def test_a_late_turn_fails_unless_the_machine_was_busy_and_a_wrong_one_always(
    turn: FaultTurn, quiet: str, busy: str
) -> None:
    result = ModeResult(mode="hang", turns=(turn, WELL))
    for ratio, word in ((0.1, quiet), (0.5, busy)):
        report = FaultReport(case=LLM, results=(result,), failing="A", other_programs_ratio=ratio)
        assert report.verdict(result) == word


def test_the_first_turn_and_the_later_ones_are_told_apart() -> None:
    first = replace(WELL, first_result_ms=1100.0, asked=("A", "B"), asked_again_ms=750.0, answered_by="B")
    lost = replace(WELL, first_result_ms=None, first_audio_ms=None, lost="no answer", same_words=False)
    result = ModeResult(mode="hang", turns=(first, WELL, replace(WELL, first_result_ms=170.0), lost))
    out = io.StringIO()
    report = FaultReport(case=LLM, results=(result,), failing="A", other_programs_ratio=0.0)
    print_faults(Console(file=out, width=160), report)
    told = " ".join(out.getvalue().split())
    assert "hang 1100 220 A, after 750 ms B 150/170 220/220 3 of 3 3 of 4 FAIL" in told
    assert "hang, turn 1: first sentence after 1100 ms; A, after 750 ms B" in told
    assert "hang, turn 4: lost: no answer; asked A" in told


def test_a_second_request_that_came_too_late_is_explained_by_the_budget() -> None:
    turn = replace(WELL, first_result_ms=5150.0, asked=("A", "B"), asked_again_ms=5000.0)
    report = FaultReport(
        case=LLM, results=(ModeResult(mode="hang", turns=(turn,)),), failing="A", other_programs_ratio=0.0
    )
    assert any("the budget held no second request" in line for line in notes(report))


def test_ways_to_fail_that_no_instance_knows_are_refused() -> None:
    assert parse_modes("none, drip=2s", LLM) == ("none", "drip=2s")
    with pytest.raises(ConfigError, match="--modes sulk"):
        parse_modes("none,sulk", LLM)
    with pytest.raises(ConfigError, match="empty"):
        parse_modes(" ,", LLM)


def test_ways_to_fail_that_show_nothing_of_a_service_are_refused_with_the_reason() -> None:
    with pytest.raises(
        ConfigError, match="--modes keepalive with --service asr: an ASR instance has no stream"
    ):
        parse_modes("hang,keepalive", FAULT_CASES["asr"])


@pytest.mark.parametrize("case", FAULT_CASES.values(), ids=FAULT_CASES)
def test_the_ways_that_are_tried_by_default_make_sense(case: ServiceCase) -> None:
    assert parse_modes(case.modes, case)[0] == "none"
