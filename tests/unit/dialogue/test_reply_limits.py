"""A model that does not stop is stopped: after so much speech, or in a loop."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from dispatcher.dialogue.reply_limits import ReplyLimits, spoken_s


def said(pieces: Iterable[str], *, max_reply_s: float = 90.0) -> tuple[int, str]:
    """Return how many pieces may be said, and why no more."""
    limits = ReplyLimits(max_reply_s)
    for count, piece in enumerate(pieces):
        reason = limits.refusal(piece)
        if reason:
            return count, reason
    return -1, ""


@pytest.mark.parametrize(
    ("loop", "most"),
    [
        (["The cat sat on the mat."], 2),
        (["The cat sat on the mat!", "the cat sat on the mat"], 2),
        (["我是一个小茶壶。"], 2),
        (["I am fine today.", "How are you today?"], 4),
        (["Yes. No. Yes.", "No. Yes. No."], 30),
        (["哈" * 80], 2),
        (["and then " * 15], 2),
        (["one two three four five six seven and " * 4], 2),
    ],
)
def test_a_loop_is_ended(loop: list[str], most: int) -> None:
    count, reason = said(loop * 30)
    assert 0 < count <= most
    assert reason == "the reply repeats itself"


def test_a_refrain_of_a_word_and_a_sentence_said_twice_are_no_loop() -> None:
    assert said(["Ha! Ha! Ha!", "Very well.", "The cat sat here.", "Very well.", "The cat sat here."]) == (
        -1,
        "",
    )


@pytest.mark.parametrize("text", ["This is sentence {} of very many.", "这是第{}句话，后面还有很多很多。"])
def test_a_reply_ends_at_its_time_and_after_a_sentence(text: str) -> None:
    pieces = [text.format(number) for number in range(1000)]
    count, reason = said(pieces, max_reply_s=30.0)
    assert reason == "the reply is longer than 30 s"
    assert 25 < sum(map(spoken_s, pieces[:count])) <= 30


def test_a_reply_goes_on_to_the_end_of_its_sentence_but_not_for_ever() -> None:
    clauses = [f"and clause {number} goes on and on," for number in range(100)]
    whole = [*clauses[:10], "and so it ends.", *clauses[10:]]
    limit_s = sum(map(spoken_s, clauses[:10])) + 0.1
    assert said(whole, max_reply_s=limit_s)[0] == 11
    count, _ = said(clauses, max_reply_s=limit_s)
    assert limit_s < sum(map(spoken_s, clauses[: count + 1]))
    assert count < 15


def test_the_first_piece_is_always_said() -> None:
    assert said(["A very long sentence of very many words that never seems to end."], max_reply_s=0.5) == (
        -1,
        "",
    )


@pytest.mark.parametrize(
    ("text", "least_s", "most_s"), [("我" * 45, 9, 11), ("word " * 25, 9, 11), ("!?", 0, 0)]
)
def test_speech_is_estimated_by_its_language(text: str, least_s: float, most_s: float) -> None:
    assert least_s <= spoken_s(text) <= most_s
