"""Where an utterance begins and ends, by made-up probabilities."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.catalogue.conversation import Conversation, Endpointing
from dispatcher.dialogue.endpointing import Endpointer, EndpointRules, endpoint_rules, has_room

# Three windows of speech begin an utterance, ten of silence end it, a hundred are the most.
RULES = EndpointRules(window_ms=10, min_speech_ms=30, silence_ms=100, max_utterance_ms=1000)
# A pause is judged after three windows; four end a finished sentence, twenty an unfinished one.
JUDGED = replace(RULES, pause_ms=30, finished_silence_ms=40, unfinished_silence_ms=200)
SPEECH, UNSURE, SILENCE = 0.9, 0.4, 0.1


def events(
    *parts: tuple[float, int], rules: EndpointRules = RULES, finished: float | None = None
) -> list[tuple[int, str]]:
    """Return the events and the number of the window, from 1, that made them happen.

    Args:
        parts: probabilities, and how many windows of each.
        finished: how each pause is judged, at once; None where nobody judges.
    """
    endpointer = Endpointer(rules)
    heard: list[tuple[int, str]] = []
    probabilities = [probability for probability, count in parts for _ in range(count)]
    for at, probability in enumerate(probabilities, start=1):
        event = endpointer.feed(probability)
        heard += [(at, event)] if event else []
        if event == "paused" and finished is not None and endpointer.pause is not None:
            endpointer.judge(endpointer.pause, finished)
    return heard


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


def test_a_finished_sentence_ends_the_utterance_soon_after_its_pause_was_judged() -> None:
    assert events((SPEECH, 5), (SILENCE, 12), rules=JUDGED, finished=0.5) == [
        (3, "speech_started"),
        (8, "paused"),
        (9, "utterance_ended"),
    ]


def test_an_unfinished_sentence_may_go_on_after_a_longer_pause() -> None:
    assert events((SPEECH, 5), (SILENCE, 15), (SPEECH, 5), (SILENCE, 20), rules=JUDGED, finished=0.4) == [
        (3, "speech_started"),
        (8, "paused"),
        (28, "paused"),
        (45, "utterance_ended"),
    ]


def test_a_pause_that_nobody_judges_is_as_long_as_by_silence() -> None:
    assert events((SPEECH, 5), (SILENCE, 12), rules=JUDGED) == [
        (3, "speech_started"),
        (8, "paused"),
        (15, "utterance_ended"),
    ]


def test_a_judgement_of_a_pause_that_is_over_counts_for_nothing() -> None:
    endpointer = Endpointer(JUDGED)
    for probability in [SPEECH] * 5 + [SILENCE] * 3:
        endpointer.feed(probability)
    over = endpointer.pause
    assert over is not None
    for probability in [SPEECH] * 3 + [SILENCE] * 3:
        endpointer.feed(probability)
    endpointer.judge(over, 1.0)
    assert [endpointer.feed(SILENCE) for _ in range(7)] == [None] * 6 + ["utterance_ended"]


def test_unsure_windows_are_no_pause_to_judge() -> None:
    assert events((SPEECH, 5), (UNSURE, 5), (SPEECH, 3), rules=JUDGED) == [(3, "speech_started")]


def test_the_silence_at_the_end_is_known() -> None:
    endpointer = Endpointer(JUDGED)
    silences = []
    for probability in [SPEECH] * 5 + [SILENCE] * 10:
        silences.append(endpointer.silence_ms)
        endpointer.feed(probability)
    assert silences[-3:] == [70, 80, 90]
    assert (endpointer.silence_ms, endpointer.ended_silence_ms) == (0, 100)


def test_rules_follow_the_strategy_of_the_operator() -> None:
    chosen = Endpointing(strategy="smart_turn", pause_ms=160, finished_silence_ms=240)
    smart = endpoint_rules(Conversation(endpointing=chosen, endpoint_silence_ms=900, max_utterance_s=5.0))
    assert (smart.pause_ms, smart.ending_silence_ms(None)) == (160, 900)
    assert [smart.ending_silence_ms(finished) for finished in (0.49, 0.5)] == [1500, 240]
    assert (smart.max_utterance_ms, smart.run_up_ms) == (5000, 396)
    assert endpoint_rules(Conversation()).pause_ms is None


@pytest.mark.parametrize(
    ("cpu_ratio", "wait_s", "expected"),
    [(None, 0.1, True), (0.5, 0.1, True), (0.95, 0.1, False), (0.5, 0.6, False)],
)
def test_a_pause_is_judged_where_that_comes_in_time_and_the_cpu_has_room(
    cpu_ratio: float | None, wait_s: float, *, expected: bool
) -> None:
    assert has_room(cpu_ratio=cpu_ratio, wait_s=wait_s, silence_s=0.6) is expected


@given(probabilities=st.lists(st.floats(0, 1), max_size=400))
def test_starts_and_ends_take_turns(probabilities: list[float]) -> None:
    endpointer = Endpointer(JUDGED)
    heard = [event for event in map(endpointer.feed, probabilities) if event and event != "paused"]
    assert heard[::2] == ["speech_started"] * len(heard[::2])
    assert heard[1::2] == ["utterance_ended"] * len(heard[1::2])
    assert endpointer.in_speech == (len(heard) % 2 == 1)
