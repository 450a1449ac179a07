"""Stages that wait for a free slot: they are not late, and not sent a second time."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.steps import Apologise, BreakOff, SendAgain, ShowTranscript
from dispatcher.dialogue.turn import Turn
from dispatcher.messages import Reply
from tests.unit.dialogue.replies import alive, audio, end, sentence, transcript, waiting

LATE_S = 10.0


@pytest.mark.parametrize(
    ("before", "notice"),
    [
        ([], waiting("asr")),
        ([transcript("Hello.")], waiting("llm")),
        ([transcript("Hello."), sentence(0, "Hi."), end(1)], waiting("tts")),
    ],
)
def test_a_stage_that_says_that_it_waits_is_not_late(before: list[Reply], notice: Reply) -> None:
    turn = Turn(now=0.0, stage_timeout_s=LATE_S)
    for reply in before:
        turn.on_reply(reply, 0.0)
    for now in range(9, 60, 9):
        assert turn.on_reply(notice, now) == []
        assert turn.on_clock(now + 8.0) == []
    (again,) = turn.on_clock(54 + LATE_S)
    assert isinstance(again, SendAgain)
    assert turn.clock.alive_s == 0.0


@pytest.mark.parametrize("notice", [waiting("asr"), waiting("tts", index=1)])
def test_one_that_the_turn_does_not_wait_for_says_nothing_of_it(notice: Reply) -> None:
    turn = Turn(now=0.0, stage_timeout_s=LATE_S)
    for reply in (transcript("Hello."), sentence(0, "Hi."), sentence(1, "How are you?")):
        turn.on_reply(reply, 0.0)
    turn.on_reply(notice, 9.0)
    (again,) = turn.on_clock(LATE_S)
    assert isinstance(again, SendAgain)


def test_a_stage_that_may_still_be_in_its_queue_is_not_late() -> None:
    turn = Turn(now=0.0, stage_timeout_s=LATE_S)
    assert turn.on_clock(11.0, queued_s={"asr": 11.0}) == []
    assert turn.on_clock(20.0) == []
    assert turn.on_clock(21.0, queued_s={"asr": 9.9, "llm": 30.0}) == [SendAgain("asr", 2)]
    assert turn.on_reply(transcript("Hello."), 30.0) == [ShowTranscript("Hello.")]


def test_a_stage_that_no_worker_takes_is_apologised_for_when_the_turn_should_be_over() -> None:
    turn = Turn(now=0.0, stage_timeout_s=LATE_S, turn_timeout_s=60.0)
    for now in range(10, 60, 10):
        assert turn.on_clock(now, queued_s={"asr": now}) == []
    assert turn.on_clock(60.0, queued_s={"asr": 60.0}) == [SendAgain("asr", 2)]
    assert turn.on_clock(70.0, queued_s={"asr": 70.0}) == [Apologise("asr: no answer in time")]


def test_a_stage_whose_queue_has_had_no_worker_for_a_stages_time_is_apologised_for_at_once() -> None:
    turn = Turn(now=0.0, stage_timeout_s=LATE_S)
    assert turn.on_clock(3.0, queued_s={"asr": 3.0}, unserved_s={"asr": LATE_S - 0.1, "llm": 99.0}) == []
    turn.on_reply(transcript("Hello."), 4.0)
    assert turn.on_clock(4.9, unserved_s={"llm": 99.0}) == []
    given_up = turn.on_clock(5.0, queued_s={"llm": 1.0}, unserved_s={"llm": LATE_S})
    assert given_up == [Apologise("llm: no worker reads its queue")]


def test_an_answer_whose_speech_no_worker_makes_any_more_is_broken_off() -> None:
    turn = Turn(text="Hi!", now=0.0, stage_timeout_s=LATE_S)
    for reply in (sentence(0, "Hi."), audio(0, b"hi", last=True), sentence(1, "How are you?")):
        turn.on_reply(reply, 0.0)
    assert turn.on_clock(2.0, unserved_s={"tts": 12.0}) == [BreakOff("tts: no worker reads its queue")]


def test_the_time_that_an_llm_thinks_is_no_part_of_a_turns_time() -> None:
    turn = Turn(text="Hi!", now=0.0, stage_timeout_s=LATE_S, turn_timeout_s=60.0)
    turn.on_reply(alive(), 5.0)
    assert turn.on_clock(64.9, queued_s={"llm": 64.9}) == []
    assert turn.on_clock(75.0, queued_s={"llm": 75.0}) == [SendAgain("llm", 2)]
