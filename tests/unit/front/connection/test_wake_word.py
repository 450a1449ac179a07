"""Which texts are wake words."""

from __future__ import annotations

import pytest

from dispatcher.front.connection.wake_word import is_wake_word

WAKE_WORDS = ("你好小智", "Hi, ESP")


@pytest.mark.parametrize(
    "text", ["你好小智", "你好，小智！", "  你好 小智。", "hi esp", "HI_ESP", "Hi, ESP."]
)
def test_a_wake_word_is_known_whatever_its_case_spaces_and_punctuation(text: str) -> None:
    assert is_wake_word(text, WAKE_WORDS)


@pytest.mark.parametrize("text", ["你好小智，现在几点", "hi", "", "你好", "!"])
def test_other_texts_are_something_to_answer(text: str) -> None:
    assert not is_wake_word(text, WAKE_WORDS)


def test_without_wake_words_every_text_is_something_to_answer() -> None:
    assert not is_wake_word("你好小智", ())
