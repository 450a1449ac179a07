"""One turn whose stages say that they failed."""

from __future__ import annotations

import pytest

from dispatcher.contracts import Reply
from dispatcher.conversation.turn import Apologise, Finish, Play, ShowTranscript, Subtitle
from tests.unit.conversation.replies import audio, end, failed, sentence, transcript
from tests.unit.conversation.test_turn import Clock, heard


def test_an_utterance_that_cannot_be_transcribed_is_apologised_for() -> None:
    assert Clock(typed=False).gets(failed("asr: refused")) == [Apologise("asr: refused")]


def test_an_llm_that_cannot_answer_is_apologised_for() -> None:
    for typed in (True, False):
        assert heard(typed=typed).gets(failed("llm: refused")) == [Apologise("llm: refused")]


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


def test_sentences_that_the_llm_finished_are_spoken_after_it_failed() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"1"), sentence(1, "Two."), failed("llm: away"))

    steps = clock.gets(audio(0, b"one", last=True), audio(1, b"two", last=True))

    assert steps == [Play(b"one"), Subtitle("Two."), Play(b"two"), Finish()]


def test_an_llm_that_fails_after_all_it_said_was_spoken_ends_the_turn() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"1", last=True))

    assert clock.gets(failed("llm: away")) == [Finish()]


@pytest.mark.parametrize("nothing", [failed("tts: away"), audio(0, b"", last=True)])
def test_a_sentence_without_speech_is_left_out(nothing: Reply) -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), sentence(1, "Two."), end(2))

    assert clock.gets(nothing) == []
    assert clock.gets(audio(1, b"two", last=True)) == [Subtitle("Two."), Play(b"two"), Finish()]
    assert clock.turn.spoken == ["Two."]


def test_a_sentence_that_fails_before_its_turn_waits_for_it() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), failed("tts: away", index=1), sentence(1, "Two."), end(2))

    assert clock.gets(audio(0, b"one", last=True)) == [Subtitle("One."), Play(b"one"), Finish()]


def test_a_turn_of_which_no_sentence_can_be_spoken_is_apologised_for() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), end(1))

    assert clock.gets(failed("tts: away")) == [Apologise("tts: no sentence could be spoken")]


def test_the_first_sending_of_a_sentence_may_fail_while_the_second_speaks() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), end(1))
    clock.waits()

    assert clock.gets(failed("tts: away", attempt=1)) == []
    assert clock.gets(audio(0, b"a", attempt=2, last=True)) == [Subtitle("One."), Play(b"a"), Finish()]


def test_the_sending_that_speaks_ends_the_sentence_when_it_fails() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), end(1))
    clock.waits()
    clock.gets(audio(0, b"a", attempt=1))

    assert clock.gets(failed("tts: away", attempt=1)) == [Finish()]
