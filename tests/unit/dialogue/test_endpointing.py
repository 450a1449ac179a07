"""Where an utterance begins and ends, by made-up probabilities."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.dialogue.endpointing import Endpointer, EndpointRules

# Three windows of speech begin an utterance, ten of silence end it, a hundred are the most.
RULES = EndpointRules(window_ms=10, min_speech_ms=30, silence_ms=100, max_utterance_ms=1000)
SPEECH, UNSURE, SILENCE = 0.9, 0.4, 0.1


def events(*parts: tuple[float, int]) -> list[tuple[int, str]]:
    """Return the events and the number of the window, from 1, that made them happen."""
    endpointer = Endpointer(RULES)
    probabilities = [probability for probability, count in parts for _ in range(count)]
    heard = ((at, endpointer.feed(probability)) for at, probability in enumerate(probabilities, start=1))
    return [(at, event) for at, event in heard if event]


def test_an_utterance_starts_when_speech_is_certain_and_ends_after_the_silence() -> None:
    assert events((SILENCE, 5), (SPEECH, 20), (SILENCE, 12)) == [
        (8, "speech_started"),
        (35, "utterance_ended"),
    ]


def test_silence_makes_nothing_happen() -> None:
    assert events((SILENCE, 500)) == []


def test_a_click_does_not_start_an_utterance() -> None:
    assert events((SPEECH, 2), (SILENCE, 1), (SPEECH, 2), (SILENCE, 1), (SPEECH, 2)) == []


def test_a_click_does_not_lengthen_the_silence() -> None:
    assert events((SPEECH, 5), (SILENCE, 5), (SPEECH, 2), (SILENCE, 20))[1] == (15, "utterance_ended")


def test_speech_goes_on_after_a_short_pause() -> None:
    assert events((SPEECH, 5), (SILENCE, 9), (SPEECH, 5), (SILENCE, 10)) == [
        (3, "speech_started"),
        (29, "utterance_ended"),
    ]


def test_the_first_windows_of_a_word_after_a_pause_do_not_end_the_utterance() -> None:
    assert events((SPEECH, 5), (SILENCE, 9), (SPEECH, 2), (UNSURE, 5), (SPEECH, 1), (SILENCE, 9)) == [
        (3, "speech_started")
    ]


def test_unsure_windows_neither_start_nor_end_anything() -> None:
    assert events((UNSURE, 50)) == []
    assert events((SPEECH, 3), (UNSURE, 50)) == [(3, "speech_started")]


def test_unsure_windows_between_speech_belong_to_it() -> None:
    assert events((SPEECH, 2), (UNSURE, 1), (SPEECH, 1)) == [(4, "speech_started")]


def test_an_utterance_ends_at_its_longest() -> None:
    assert events((SPEECH, 102)) == [(3, "speech_started"), (100, "utterance_ended")]


def test_one_utterance_follows_the_other() -> None:
    assert [event for _, event in events(*[(SPEECH, 5), (SILENCE, 12)] * 3)] == [
        "speech_started",
        "utterance_ended",
    ] * 3


def test_in_speech_tells_whether_an_utterance_is_under_way() -> None:
    endpointer = Endpointer(RULES)
    states = []
    for probability in [SILENCE] * 2 + [SPEECH] * 3 + [SILENCE] * 10:
        endpointer.feed(probability)
        states.append(endpointer.in_speech)
    assert states == [False] * 4 + [True] * 10 + [False]


def test_a_reset_forgets_the_utterance_under_way() -> None:
    endpointer = Endpointer(RULES)
    for _ in range(5):
        endpointer.feed(SPEECH)
    endpointer.reset()
    assert not endpointer.in_speech
    assert [endpointer.feed(SPEECH) for _ in range(3)] == [None, None, "speech_started"]


@given(probabilities=st.lists(st.floats(0, 1), max_size=400))
def test_starts_and_ends_take_turns(probabilities: list[float]) -> None:
    endpointer = Endpointer(RULES)
    heard = [event for event in map(endpointer.feed, probabilities) if event]
    assert heard[::2] == ["speech_started"] * len(heard[::2])
    assert heard[1::2] == ["utterance_ended"] * len(heard[1::2])
    assert endpointer.in_speech == (len(heard) % 2 == 1)
