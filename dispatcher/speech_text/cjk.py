"""Characters of CJK scripts, as sentences, tokens and languages have to tell them."""

from __future__ import annotations

import re
from typing import Final

# Kana, Han with its extensions, Hangul: written without spaces, about a syllable each. For use in [...].
CJK: Final = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"

# Chinese characters alone, with the zero that is a circle. For use in [...].
HAN: Final = r"\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

_CJK_CHARACTER: Final = re.compile(f"[{CJK}]")
_HAN_CHARACTER: Final = re.compile(f"[{HAN}]")


def is_cjk(character: str) -> bool:
    """Return whether the one character is a CJK letter (punctuation is not)."""
    return _CJK_CHARACTER.match(character) is not None


def has_cjk(text: str) -> bool:
    """Return whether the text has a CJK letter."""
    return _CJK_CHARACTER.search(text) is not None


def has_han(text: str) -> bool:
    """Return whether the text has a Chinese character."""
    return _HAN_CHARACTER.search(text) is not None
