"""One turn whose stages say that they failed."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.steps import Apologise, BreakOff, Finish, SendAgain, ShowTranscript, Subtitle
from dispatcher.messages import Reply
from tests.unit.dialogue.replies import audio, end, failed, play, sentence, transcript
from tests.unit.dialogue.test_turn import Clock, heard


def test_an_utterance_that_cannot_be_transcribed_is_apologised_for() -> None:
    assert Clock(typed=False).gets(failed("asr: refused")) == [Apologise("asr: refused")]


def test_an_llm_that_cannot_answer_is_apologised_for() -> None:
    for typed in (True, False):
        assert heard(typed=typed).gets(failed("llm: refused")) == [Apologise("llm: refused")]


def test_the_class_of_the_error_is_told_whatever_its_words_are() -> None:
    spent = failed("llm: geen budget", error="BudgetSpent")
    assert heard().gets(spent) == [Apologise("llm: geen budget", "BudgetSpent")]


def test_a_reply_without_a_voice_is_apologised_for_by_the_error_of_its_last_sentence() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), end(1))
    (step,) = clock.gets(failed("tts: budget voices is spent", error="BudgetSpent"))
    assert step == Apologise("tts: no sentence could be spoken", "BudgetSpent")


def test_a_sending_that_failed_late_does_not_end_the_one_that_took_its_place() -> None:
    clock = Clock(typed=False)
    clock.waits()

    assert clock.gets(failed("asr: away", attempt=1)) == []
    assert clock.gets(transcript("Hi!", attempt=2)) == [ShowTranscript("Hi!")]


def test_a_second_transcription_that_fails_after_the_first_is_no_matter() -> None:
    clock = Clock(typed=False)
    clock.waits()
    clock.gets(transcript("Hi!", attempt=1))

    assert clock.gets(failed("asr: away", attempt=2), failed("asr: away", attempt=1)) == []
    assert not clock.turn.over


def test_an_llm_that_is_not_listened_to_may_fail() -> None:
    clock = heard()
    clock.gets(sentence(0, "One.", attempt=1))

    assert clock.gets(failed("llm: away", attempt=2)) == []


def test_a_reply_that_breaks_off_twice_is_spoken_as_far_as_it_goes_and_the_user_is_told() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"1"), sentence(1, "Two."))

    assert clock.gets(failed("llm: away")) == [SendAgain("llm", 2, 2, "One. Two.")]
    assert clock.gets(failed("llm: away", attempt=1)) == []
    assert clock.gets(failed("llm: still away", attempt=2)) == []
    steps = clock.gets(audio(0, b"one", last=True), audio(1, b"two", last=True))
    assert steps == [play(b"one"), Subtitle("Two."), play(b"two"), BreakOff("llm: still away")]


def test_an_llm_that_fails_after_all_it_said_was_spoken_goes_on_from_the_next_sentence() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"1", last=True))

    assert clock.gets(failed("llm: away")) == [SendAgain("llm", 2, 1, "One.")]
    rest = [sentence(1, "Two.", attempt=2), audio(1, b"2", last=True, attempt=2), end(2, attempt=2)]
    assert clock.gets(*rest) == [Subtitle("Two."), play(b"2"), Finish()]


def test_a_reply_that_called_a_tool_is_not_asked_for_again_when_it_breaks_off() -> None:
    clock = heard()
    called = Reply(turn_id="a-turn", attempt=1, kind="tool", text="a call")
    clock.gets(called, sentence(0, "One."), audio(0, b"1", last=True))

    assert clock.gets(failed("llm: away")) == [BreakOff("llm: away")]


@pytest.mark.parametrize("nothing", [failed("tts: away"), audio(0, last=True)])
def test_a_sentence_without_speech_is_left_out(nothing: Reply) -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), sentence(1, "Two."), end(2))

    assert clock.gets(nothing) == []
    assert clock.gets(audio(1, b"two", last=True)) == [Subtitle("Two."), play(b"two"), Finish()]
    assert clock.turn.speech.spoken == ["Two."]


def test_a_last_sentence_that_cannot_be_spoken_waits_for_its_turn_and_cuts_the_answer() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), failed("tts: away", index=1), sentence(1, "Two."), end(2))

    steps = clock.gets(audio(0, b"one", last=True))
    assert steps == [Subtitle("One."), play(b"one"), BreakOff("tts: away")]


def test_a_turn_of_which_no_sentence_can_be_spoken_is_apologised_for() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), end(1))

    assert clock.gets(failed("tts: away")) == [Apologise("tts: no sentence could be spoken")]


def test_the_first_sending_of_a_sentence_may_fail_while_the_second_speaks() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), end(1))
    clock.waits()

    assert clock.gets(failed("tts: away", attempt=1)) == []
    assert clock.gets(audio(0, b"a", attempt=2, last=True)) == [Subtitle("One."), play(b"a"), Finish()]


def test_the_sending_that_speaks_ends_the_sentence_when_it_fails() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), end(1))
    clock.waits()
    clock.gets(audio(0, b"a", attempt=1))

    assert clock.gets(failed("tts: away", attempt=1)) == [BreakOff("tts: away")]
