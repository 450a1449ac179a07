"""Characters of CJK scripts, as sentences, tokens and languages have to tell them."""

from __future__ import annotations

import re
from typing import Final

# Kana, Han with its extensions, Hangul: written without spaces, about a syllable each. For use in [...].
CJK: Final = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"

_CJK_CHARACTER: Final = re.compile(f"[{CJK}]")


def is_cjk(character: str) -> bool:
    """Return whether the one character is a CJK letter (punctuation is not)."""
    return _CJK_CHARACTER.match(character) is not None
