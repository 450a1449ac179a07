"""Which texts end a session."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.goodbye import GOODBYES, is_goodbye

NAMES = ("Bobo", "")


@pytest.mark.parametrize(
    "text",
    [
        "Goodbye.",
        "okay, bye bye!",
        "Bye Xiaozhi",
        "Bye, Bobo",
        "Bobo goodbye",
        "xiaozhi goodbye",
        "Good night, Xiaozhi.",
        "再见",
        "好的，再见。",
        "小智再见！",
        "拜拜小智",
        "谢谢你。晚安",
    ],
)
def test_a_goodbye_at_the_end_ends_the_session(text: str) -> None:
    assert is_goodbye(text, GOODBYES, names=NAMES)


@pytest.mark.parametrize(
    "text",
    ["", "!", "小智", "remember to say goodbye", "再见是什么意思", "bye, what time is it?", "我不想说再见"],
)
def test_other_words_do_not(text: str) -> None:
    assert not is_goodbye(text, GOODBYES, names=NAMES)


def test_the_phrases_may_be_others() -> None:
    assert is_goodbye("So long!", ["so long"])
    assert not is_goodbye("goodbye", ["so long"])
