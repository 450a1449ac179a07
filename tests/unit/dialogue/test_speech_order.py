from __future__ import annotations

from collections.abc import Iterator

import pytest

from dispatcher.audio.packets import unpack
from dispatcher.dialogue.speech_order import MAX_SENTENCES, SpeechOrder
from dispatcher.dialogue.steps import Play, Step, Subtitle
from dispatcher.messages import Reply
from tests.unit.dialogue.replies import audio, failed, play, sentence


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
    assert speech.hand_over() == [Subtitle("One."), play(b"1"), Subtitle("Two."), play(b"2")]
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
    assert speech.tail_failure == failed("tts: refused")
    speech.add_audio(audio(1, b"2", last=True))
    speech.hand_over()
    assert speech.tail_failure is None


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


@pytest.mark.parametrize("again", [(11, 10, 10, 4), (1, 1, 33), (5, 30), (35,), (4, 1, 30)])
def test_a_sentence_sent_again_in_other_groups_goes_on_with_the_packet_that_is_next(
    again: tuple[int, ...],
) -> None:
    speech = order_of("One.")
    made = [bytes([number]) for number in range(35)]
    for reply in grouped(made, (3, 2), attempt=1):
        speech.add_audio(reply)
    handed = speech.hand_over()
    sentence_audio = speech.waiting(0)
    assert sentence_audio is not None
    sentence_audio.send_again(2, lost=1)
    for reply in grouped(made, again, attempt=2):
        speech.add_audio(reply)
    handed += speech.hand_over()
    assert handed[0] == Subtitle("One.")
    assert [packet for step in handed[1:] for packet in packets_of(step)] == made
    assert speech.current == 1


def grouped(made: list[bytes], sizes: tuple[int, ...], *, attempt: int) -> Iterator[Reply]:
    """Yield the replies of one sending of a sentence, each with so many packets."""
    at = 0
    for size in sizes:
        yield audio(0, *made[at : at + size], attempt=attempt, last=at + size == len(made))
        at += size


def packets_of(step: Step) -> list[bytes]:
    assert isinstance(step, Play)
    return unpack(step.packets)
