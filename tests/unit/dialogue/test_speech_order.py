from __future__ import annotations

from dispatcher.dialogue.speech_order import MAX_SENTENCES, SpeechOrder
from dispatcher.dialogue.steps import Play, Subtitle
from tests.unit.dialogue.replies import audio, failed, sentence


def order_of(*texts: str) -> SpeechOrder:
    """Return a reply whose sentences are written and not spoken yet."""
    speech = SpeechOrder()
    for index, text in enumerate(texts):
        speech.add_sentence(sentence(index, text))
    return speech


def test_a_sentence_waits_for_those_before_it() -> None:
    speech = order_of("One.", "Two.")
    speech.add_audio(audio(1, b"2", last=True))
    assert speech.hand_over() == []
    speech.add_audio(audio(0, b"1", last=True))
    assert speech.hand_over() == [Subtitle("One."), Play(b"1"), Subtitle("Two."), Play(b"2")]
    assert (speech.spoken, speech.current, speech.is_empty) == (["One.", "Two."], 2, True)


def test_a_sentence_is_taken_once_and_none_that_is_over_or_beyond_the_limit() -> None:
    speech = order_of("One.")
    assert not speech.add_sentence(sentence(0, "Again."))
    speech.add_audio(audio(0, b"1", last=True))
    speech.hand_over()
    assert not speech.add_sentence(sentence(0, "Late."))
    assert not speech.add_sentence(sentence(MAX_SENTENCES, "Far."))
    speech.add_audio(audio(MAX_SENTENCES, b"x"))
    assert speech.is_empty


def test_sentences_without_a_gap_are_what_was_written() -> None:
    speech = order_of("One.")
    speech.add_sentence(sentence(2, "Three."))
    assert speech.written == ["One."]


def test_a_failure_of_the_newest_sentence_is_the_tail() -> None:
    speech = order_of("One.", "Two.")
    speech.add_audio(failed("tts: refused", index=0))
    speech.hand_over()
    assert speech.tail_failure == "tts: refused"
    speech.add_audio(audio(1, b"2", last=True))
    speech.hand_over()
    assert speech.tail_failure == ""


def test_a_reply_is_complete_when_its_last_sentence_was_handed_over() -> None:
    speech = order_of("One.")
    assert not speech.is_complete
    speech.end_at(1)
    assert not speech.is_complete
    speech.add_audio(audio(0, b"1", last=True))
    speech.hand_over()
    assert speech.is_complete


def test_a_reopened_reply_keeps_what_was_written_and_nothing_behind_a_gap() -> None:
    speech = order_of("One.")
    speech.add_sentence(sentence(2, "Three."))
    speech.end_at(3)
    speech.reopen()
    assert (speech.total, speech.waiting(2), speech.waiting(0) is not None) == (None, None, True)
