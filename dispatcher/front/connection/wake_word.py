"""Wake words: a device tells which one it heard in the same message that carries typed text."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher.dialogue.goodbye import plain


def is_wake_word(text: str, wake_words: Iterable[str]) -> bool:
    """Return whether a text is one of the wake words, whatever its case, spaces and punctuation."""
    said = plain(text)
    return any(said == plain(word) for word in wake_words)
