"""Characters of CJK scripts."""

from __future__ import annotations

import pytest

from dispatcher.speech_text.cjk import has_cjk, has_han


@pytest.mark.parametrize(
    ("text", "is_cjk_text", "is_han_text"),
    [
        ("tea at 3", False, False),
        ("，。！", False, False),
        ("二〇二六", True, True),
        ("𠀀", True, True),
        ("ひらがな", True, False),
        ("한국어", True, False),
        ("say 你好", True, True),
    ],
)
def test_chinese_characters_are_told_from_other_syllables(
    text: str, *, is_cjk_text: bool, is_han_text: bool
) -> None:
    assert (has_cjk(text), has_han(text)) == (is_cjk_text, is_han_text)
