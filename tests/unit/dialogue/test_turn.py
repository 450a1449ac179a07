"""One turn: the order of speech, stages that are late, and stages that fail."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.speech_order import MAX_SENTENCES
from dispatcher.dialogue.steps import (
    Apologise,
    BreakOff,
    Finish,
    SendAgain,
    ShowEmotion,
    ShowTranscript,
    Step,
    Subtitle,
)
from dispatcher.dialogue.turn import Turn
from dispatcher.messages import Reply
from tests.unit.dialogue.replies import audio, emotion, end, failed, play, sentence, transcript

LATE_S = 10.0


class Clock:
    """A turn and the time it is told."""

    def __init__(self, *, typed: bool = True) -> None:
        self.now = 100.0
        self.turn = Turn(text="Hi!" if typed else "", now=self.now, stage_timeout_s=LATE_S)

    def gets(self, *replies: Reply) -> list[Step]:
        """Return what the turn does with these replies, half a second apart."""
        steps = []
        for reply in replies:
            self.now += 0.5
            steps += self.turn.on_reply(reply, self.now)
        return steps

    def waits(self, seconds: float = LATE_S) -> list[Step]:
        """Return what the turn does when it is looked at after a while."""
        self.now += seconds
        return self.turn.on_clock(self.now)


def heard(*, typed: bool = False) -> Clock:
    """Return a turn that waits for the LLM."""
    clock = Clock(typed=typed)
    if not typed:
        clock.gets(transcript("What time is it?"))
    return clock


def test_a_turn_goes_from_transcript_to_finish() -> None:
    clock = Clock(typed=False)

    assert clock.gets(transcript("What time is it?")) == [ShowTranscript("What time is it?")]
    assert clock.gets(emotion("happy")) == [ShowEmotion("happy")]
    assert clock.gets(sentence(0, "It is noon.")) == []
    assert clock.gets(audio(0, b"a")) == [Subtitle("It is noon."), play(b"a")]
    assert clock.gets(audio(0, b"b"), audio(0, b"c", last=True)) == [play(b"b"), play(b"c")]
    assert clock.gets(end(1)) == [Finish()]
    assert clock.turn.over
    assert clock.turn.transcript == "What time is it?"
    assert clock.turn.speech.spoken == ["It is noon."]


def test_sentences_are_spoken_in_order_whichever_is_ready_first() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), sentence(1, "Two."), audio(1, b"2", last=True), end(2))

    assert clock.gets(audio(0, b"1", last=True)) == [
        *(Subtitle("One."), play(b"1")),
        *(Subtitle("Two."), play(b"2")),
        Finish(),
    ]


def test_audio_that_comes_before_its_sentence_waits_for_it() -> None:
    clock = heard()

    assert clock.gets(audio(0, b"a", last=True)) == []
    assert clock.gets(sentence(0, "One.")) == [Subtitle("One."), play(b"a")]


def test_an_empty_transcript_finishes_the_turn_in_silence() -> None:
    clock = Clock(typed=False)

    assert clock.gets(transcript("")) == [Finish()]
    assert clock.turn.over


def test_a_second_transcript_is_dropped() -> None:
    assert heard().gets(transcript("What time was it?", attempt=2)) == []


def test_a_turn_that_is_over_does_nothing_more() -> None:
    clock = heard()
    clock.turn.cancel()

    assert clock.gets(sentence(0, "One."), audio(0, b"a", last=True), end(1)) == []
    assert clock.waits() == []


def test_what_the_stages_report_is_kept_as_it_came_first() -> None:
    clock = heard()
    for value in (12.0, 99.0):
        timed = Reply(turn_id="a-turn", attempt=1, kind="emotion", text="sad", timings={"llm_ms": value})
        clock.gets(timed)

    assert clock.turn.timings == {"llm_ms": 12.0}


def test_sentences_beyond_the_limit_are_not_spoken() -> None:
    clock = heard()
    for index in range(MAX_SENTENCES):
        clock.gets(sentence(index, "On and on."), audio(index, b"a", last=True))

    assert clock.gets(sentence(MAX_SENTENCES, "Still."), audio(MAX_SENTENCES, b"a", last=True)) == []
    assert clock.gets(end(MAX_SENTENCES + 1)) == [Finish()]


def test_nothing_is_late_before_its_time() -> None:
    clock = Clock(typed=False)

    assert clock.turn.clock.late_at == clock.now + LATE_S
    assert clock.waits(LATE_S - 0.1) == []


def test_a_late_transcript_is_asked_for_once_more_and_then_given_up() -> None:
    clock = Clock(typed=False)

    assert clock.waits() == [SendAgain("asr", 2)]
    assert clock.waits(LATE_S - 0.1) == []
    assert clock.waits(0.1) == [Apologise("asr: no answer in time")]
    assert clock.waits() == []


def test_every_sending_of_a_turn_has_an_attempt_of_its_own() -> None:
    clock = Clock(typed=False)
    attempts = [clock.waits()]
    clock.gets(transcript("Hi!", attempt=2))
    attempts.append(clock.waits())
    clock.gets(sentence(0, "Hello.", attempt=3))
    attempts.append(clock.waits())

    assert attempts == [[SendAgain("asr", 2)], [SendAgain("llm", 3)], [SendAgain("tts", 4, 0, "Hello.")]]


def test_a_sentence_that_is_sent_again_is_taken_from_whom_delivers_first() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."))
    clock.waits()

    assert clock.gets(audio(0, b"a", attempt=1)) == [Subtitle("One."), play(b"a")]
    assert clock.gets(audio(0, b"a", attempt=2), failed("tts: away", attempt=2)) == []
    assert clock.gets(audio(0, b"b", attempt=1, last=True), end(1)) == [play(b"b"), Finish()]


def test_a_sentence_that_stops_in_its_middle_goes_on_where_it_stopped() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"a"), audio(0, b"b"))

    assert clock.waits() == [SendAgain("tts", 2, 0, "One.")]
    again = [audio(0, packets, attempt=2, last=packets == b"c") for packets in (b"a", b"b", b"c")]
    assert clock.gets(audio(0, b"c", attempt=1, last=True), *again, end(1)) == [play(b"c"), Finish()]


def test_a_sentence_that_stays_away_twice_ends_the_turn_and_the_user_is_told() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"a", last=True), sentence(1, "Two."))

    assert clock.waits() == [SendAgain("tts", 2, 1, "Two.")]
    assert clock.waits() == [BreakOff("tts: no answer in time")]


def test_a_first_sentence_that_stays_away_twice_is_apologised_for() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."))
    clock.waits()

    assert clock.waits() == [Apologise("tts: no answer in time")]


def test_a_reply_that_stops_is_gone_on_with_by_another_sending_and_spoken_once() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"a", last=True))

    assert clock.waits() == [SendAgain("llm", 2, 1, "One.")]
    late = [sentence(1, "Deux."), audio(1, b"deux", last=True), end(2)]
    again = [sentence(1, "Two.", attempt=2), audio(1, b"b", last=True, attempt=2), end(2, attempt=2)]
    assert clock.gets(*late, *again) == [Subtitle("Two."), play(b"b"), Finish()]


def test_a_reply_that_stops_twice_is_cut_and_the_user_is_told() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"a", last=True))
    clock.waits()

    assert clock.waits() == [BreakOff("llm: the reply stopped")]
    assert clock.waits() == []


def test_audio_of_a_sentence_that_never_came_is_not_asked_for_again() -> None:
    clock = heard()
    clock.gets(sentence(0, "One."), audio(0, b"a", last=True), audio(1, b"b"))

    assert clock.waits() == [SendAgain("llm", 2, 1, "One.")]


def test_an_llm_that_began_is_not_sent_again() -> None:
    clock = heard()
    clock.gets(audio(0, b"a"))

    assert clock.waits() == [Apologise("llm: no answer in time")]


def test_an_end_without_any_sentence_is_apologised_for() -> None:
    clock = heard()
    clock.gets(end(2))

    assert clock.waits() == [Apologise("llm: the reply stopped")]


def test_two_llms_are_never_mixed() -> None:
    clock = heard()
    clock.gets(sentence(0, "One.", attempt=2), sentence(0, "Uno.", attempt=1), end(3, attempt=1))

    steps = clock.gets(
        audio(0, b"uno", attempt=1, last=True),
        audio(0, b"one", attempt=2, last=True),
        sentence(1, "Dos.", attempt=1),
        end(1, attempt=2),
    )

    assert steps == [Subtitle("One."), play(b"one"), Finish()]


@pytest.mark.parametrize("text", ["One.", "Uno."])
def test_a_sentence_that_comes_twice_is_spoken_once(text: str) -> None:
    clock = heard()
    first = clock.gets(sentence(0, "One."), sentence(0, text), audio(0, b"a", last=True))

    assert first == [Subtitle("One."), play(b"a")]
    assert clock.gets(sentence(0, text), audio(0, b"a", last=True), end(1)) == [Finish()]
