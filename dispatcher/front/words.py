"""Wake words: a device tells which one it heard in the same message that carries typed text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_NOT_WORDS: Final = re.compile(r"[\W_]+")


def is_wake_word(text: str, wake_words: Iterable[str]) -> bool:
    """Return whether a text is one of the wake words, whatever its case, spaces and punctuation."""
    said = _plain(text)
    return any(said == _plain(word) for word in wake_words)


def _plain(text: str) -> str:
    return _NOT_WORDS.sub("", text).casefold()
