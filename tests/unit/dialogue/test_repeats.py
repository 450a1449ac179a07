"""What a substitute says again is left out, however it is cut, punctuated or written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.dialogue.repeats import RepeatFilter


def passed(spoken: str, *pieces: str) -> str:
    repeats = RepeatFilter(spoken)
    return "".join([repeats.feed(piece) for piece in pieces]) + repeats.finish()


@pytest.mark.parametrize(
    ("spoken", "again", "new"),
    [
        ("", "Sure, here it is.", "Sure, here it is."),
        ("Sure, here it is.", "The kettle is on.", "The kettle is on."),
        ("Sure, here it is.", "Sure, here it is. The kettle is on.", "The kettle is on."),
        ("Sure, here it is.", "SURE — here it is! The kettle", "The kettle"),
        ("Sure, here it is.", "Here it is: the kettle", "the kettle"),
        ("It is sunny today, and", "It is sunny today. Tomorrow it rains.", "Tomorrow it rains."),
        ("I like the cat", "I like the category", "I like the category"),
        ("Hello there.", "Hello there", ""),
        ("今天天气很好，", "今天天气很好。我们去公园吧。", "我们去公园吧。"),
        ("今天天气很好，我们去公园。", "我们去公园，然后回家。", "然后回家。"),
        ("第１点，", "第1点，是速度。", "是速度。"),
        ("今天天气很好，", "，适合散步。", "适合散步。"),
    ],
)
def test_a_repeat_is_left_out_and_the_rest_passes(spoken: str, again: str, new: str) -> None:
    assert passed(spoken, again) == new
    assert passed(spoken, *again) == new


@given(spoken=st.text(max_size=60), again=st.text(max_size=120), at=st.integers(0, 120))
def test_how_the_stream_is_cut_changes_nothing(spoken: str, again: str, at: int) -> None:
    assert passed(spoken, again[:at], again[at:]) == passed(spoken, again)


@given(spoken=st.text("ab., ", max_size=20), again=st.text("ab., ", max_size=40))
def test_nothing_is_made_up(spoken: str, again: str) -> None:
    assert again.endswith(passed(spoken, again))
