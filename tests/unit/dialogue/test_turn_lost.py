"""One turn whose stages are lost with the worker that had them in hand."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.stage_attempts import LOST_SENDINGS
from dispatcher.dialogue.steps import Apologise, CallTool, Finish, SendAgain, ShowTranscript, Step, Subtitle
from tests.unit.dialogue.replies import _reply, audio, end, failed, lost, play, sentence, transcript, waiting
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

    assert clock.gets(lost("llm", has_ended=True)) == [Apologise("llm: worker lost")]


def test_a_reply_that_called_a_tool_goes_on_where_its_worker_was_merely_slow() -> None:
    clock = heard()
    clock.gets(_reply("tool", 1, text="call"), lost("llm"))

    assert clock.gets(sentence(0, "Done."), end(1), audio(0, b"1", last=True)) == [
        Subtitle("Done."),
        play(b"1"),
        Finish(),
    ]


def test_a_reply_that_was_resumed_goes_on_where_its_second_worker_was_merely_slow() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"1", last=True))
    assert clock.gets(lost("llm")) == [SendAgain("llm", 2, 1, "One.")]
    assert clock.gets(lost("llm", attempt=2)) == []

    assert clock.gets(sentence(1, "Two.", attempt=2), end(2, attempt=2)) == []
    assert clock.gets(audio(1, b"2", last=True, attempt=2)) == [Subtitle("Two."), play(b"2"), Finish()]


def waiting_for(stage: str) -> Clock:
    """Return a turn that waits for a stage."""
    clock = Clock(typed=False) if stage == "asr" else heard()
    if stage == "tts":
        clock.gets(sentence(0, "One."))
    return clock


def lose_all(clock: Clock, stage: str, *, has_ended: bool) -> list[Step]:
    """Lose each sending of a stage, whenever there is one, and return what the turn did."""
    steps: list[Step] = []
    for attempt in range(1, 9):
        steps += clock.gets(lost(stage, attempt=attempt, has_ended=has_ended))
    return steps


@pytest.mark.parametrize("stage", ["asr", "llm", "tts"])
def test_a_stage_that_ends_every_worker_that_takes_it_is_given_up(stage: str) -> None:
    steps = lose_all(waiting_for(stage), stage, has_ended=True)

    assert sum(isinstance(step, SendAgain) for step in steps) <= 4
    assert steps[-1] == Apologise(f"{stage}: worker lost")


@pytest.mark.parametrize("stage", ["asr", "llm", "tts"])
def test_a_stage_that_hangs_every_worker_that_takes_it_is_given_up_when_it_is_late(stage: str) -> None:
    clock = waiting_for(stage)
    steps = lose_all(clock, stage, has_ended=False)

    assert sum(isinstance(step, SendAgain) for step in steps) <= 4
    assert not any(isinstance(step, Apologise) for step in steps)
    assert isinstance(clock.waits()[-1], Apologise)


@pytest.mark.parametrize("stage", ["asr", "llm", "tts"])
def test_workers_that_live_after_all_cost_no_stage_its_turn_however_often_they_are_slow(stage: str) -> None:
    clock, attempt = waiting_for(stage), 1
    for _ in range(4 * LOST_SENDINGS):
        (again,) = clock.gets(lost(stage, attempt=attempt))
        assert isinstance(again, SendAgain)
        clock.gets(waiting(stage, attempt=attempt))
        attempt = again.attempt

    assert not clock.turn.over
    if stage == "tts":
        assert clock.gets(audio(0, b"old", last=True), audio(0, b"new", last=True, attempt=attempt)) == [
            Subtitle("One."),
            play(b"new"),
        ]


def test_a_worker_that_is_slow_at_the_last_sending_of_a_sentence_is_waited_for() -> None:
    clock = waiting_for("tts")
    for attempt in range(1, LOST_SENDINGS + 2):
        clock.gets(lost("tts", attempt=attempt))

    last = audio(0, b"1", last=True, attempt=LOST_SENDINGS + 1)
    assert clock.gets(last) == [Subtitle("One."), play(b"1")]


def test_a_sentence_whose_last_worker_is_dead_is_sent_again_where_another_one_lives() -> None:
    clock = waiting_for("tts")
    for attempt in range(1, LOST_SENDINGS + 2):
        clock.gets(lost("tts", attempt=attempt))
    clock.gets(waiting("tts", attempt=2))

    assert clock.waits() == [SendAgain("tts", LOST_SENDINGS + 2, 0, "One.")]


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
    dead = lost("tts", attempt=LOST_SENDINGS + 1, has_ended=True)
    assert clock.gets(dead) == [Apologise("tts: worker lost")]
