"""One turn whose stages are lost with the worker that had them in hand."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.stage_attempts import LOST_SENDINGS
from dispatcher.dialogue.steps import Apologise, CallTool, Finish, SendAgain, ShowTranscript, Subtitle
from tests.unit.dialogue.replies import _reply, audio, end, failed, lost, play, sentence, transcript
from tests.unit.dialogue.test_turn import Clock, heard


def test_an_utterance_whose_worker_is_lost_goes_to_another_at_once() -> None:
    clock = Clock(typed=False)

    assert clock.gets(lost("asr")) == [SendAgain("asr", 2)]
    assert clock.gets(transcript("Hi!", attempt=2)) == [ShowTranscript("Hi!")]


@pytest.mark.parametrize("typed", [True, False])
def test_a_reply_whose_worker_is_lost_before_its_first_word_is_written_by_another(*, typed: bool) -> None:
    clock = heard(typed=typed)

    assert clock.gets(lost("llm")) == [SendAgain("llm", 2)]
    assert clock.gets(lost("llm")) == [], "it is lost once"
    assert clock.gets(sentence(0, "One.", attempt=2), audio(0, b"1", attempt=2)) == [
        Subtitle("One."),
        play(b"1"),
    ]


def test_a_worker_lost_with_the_transcript_told_and_the_llm_not_asked_costs_no_turn() -> None:
    assert heard().gets(lost("asr")) == [SendAgain("llm", 2)]


def test_a_worker_lost_after_its_stage_was_over_asks_nobody_again() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."))

    assert clock.gets(lost("asr")) == []
    assert clock.gets(end(1), lost("llm")) == []
    assert clock.gets(audio(0, b"1"), audio(0, b"2", last=True)) == [
        Subtitle("One."),
        play(b"1"),
        play(b"2"),
        Finish(),
    ]
    assert clock.gets(lost("tts")) == []


def test_a_reply_whose_worker_is_lost_after_a_sentence_goes_on_with_the_next_one() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"1", last=True))

    assert clock.gets(lost("llm")) == [SendAgain("llm", 2, 1, "One.")]
    assert clock.gets(sentence(1, "What a dead one said.", attempt=1)) == []
    assert clock.gets(sentence(1, "Two.", attempt=2), end(2, attempt=2)) == []
    assert clock.gets(audio(1, b"2", last=True, attempt=2)) == [Subtitle("Two."), play(b"2"), Finish()]


def test_every_sentence_of_a_lost_worker_is_sent_again_and_not_only_the_next() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), sentence(1, "Two."), end(2))

    assert clock.gets(lost("tts", index=1)) == [SendAgain("tts", 2, 1, "Two.")]
    assert clock.gets(lost("tts", index=0)) == [SendAgain("tts", 3, 0, "One.")]


def test_what_a_worker_that_woke_up_says_of_a_sentence_is_not_heard_in_between() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), sentence(1, "Two."), audio(1, b"first half"), end(2))
    clock.gets(lost("tts", index=1))

    clock.gets(audio(1, b"second half", last=True))
    clock.gets(audio(1, b"all of it", last=True, attempt=2))
    assert clock.gets(audio(0, b"1", last=True)) == [
        Subtitle("One."),
        play(b"1"),
        Subtitle("Two."),
        play(b"all of it"),
        Finish(),
    ]


def test_a_sentence_lost_in_its_middle_goes_on_where_it_was() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), end(1), audio(0, b"1"))
    clock.gets(lost("tts"))

    assert clock.gets(audio(0, b"1", attempt=2), audio(0, b"2", last=True, attempt=2)) == [
        play(b"2"),
        Finish(),
    ]


def test_a_reply_that_was_lost_after_it_called_a_tool_is_apologised_for_at_once() -> None:
    clock = heard()
    assert clock.gets(_reply("tool", 1, text="call")) == [CallTool("call")]

    assert clock.gets(lost("llm")) == [Apologise("llm: worker lost")]


@pytest.mark.parametrize("stage", ["asr", "llm", "tts"])
def test_a_stage_that_ends_every_worker_that_takes_it_is_given_up(stage: str) -> None:
    clock = Clock(typed=False) if stage == "asr" else heard()
    if stage == "tts":
        clock.gets(sentence(0, "One."))
    steps = [clock.gets(lost(stage, attempt=attempt)) for attempt in range(1, 9)]

    assert sum(isinstance(step, SendAgain) for each in steps for step in each) <= 4
    assert Apologise(f"{stage}: worker lost") in [step for each in steps for step in each]


def test_a_lost_worker_takes_nothing_from_the_second_chance_of_a_stage_that_is_late() -> None:
    clock = heard()
    clock.gets(lost("llm"))

    assert clock.waits() == [SendAgain("llm", 3)]
    assert clock.gets(failed("llm: away", attempt=2)) == []


def test_a_sentence_that_is_lost_again_and_again_ends_the_turn() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."))

    assert clock.gets(lost("tts", attempt=9)) == [], "another sending than the one that is awaited"
    for attempt in range(1, LOST_SENDINGS + 1):
        assert clock.gets(lost("tts", attempt=attempt)) == [SendAgain("tts", attempt + 1, 0, "One.")]
    assert clock.gets(lost("tts", attempt=LOST_SENDINGS + 1)) == [Apologise("tts: worker lost")]
