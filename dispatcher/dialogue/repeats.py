"""A substitute's text without what was spoken before it, however it is cut or punctuated."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

_SEAMS: Final = frozenset(".!?。！？…,;:，、；：—\n")
# Of a repeat in other words, so much has to be the same before any of it is left out.
_LEAST_SAME: Final = 6


class RepeatFilter:
    """Takes from the beginning of a stream what repeats the end, or all, of what was spoken.

    Letters and digits are compared, without case, width, punctuation and spaces. Text is held back for as
    long as it may still turn out to be a repeat.
    """

    def __init__(self, spoken: str) -> None:
        """Compare with what was spoken; with nothing, all text passes."""
        self._endings = _endings(spoken)
        self._held = ""
        self._is_decided = not self._endings
        self._trims = not self._is_decided

    def feed(self, text: str) -> str:
        """Return the text that is certain to be new."""
        if self._is_decided:
            return self._trimmed(text)
        self._held += text
        return "" if self._is_open() else self._decided()

    def finish(self) -> str:
        """Return what is left when the stream has ended."""
        # What is held at the end is the beginning of what was said before, or nothing.
        self._is_decided = True
        return ""

    def _is_open(self) -> bool:
        """Return whether text to come decides; a word that is whole may still go on."""
        said = _comparable(self._held)
        goes_on = bool(self._held) and self._held[-1].isalnum()
        return any(
            ending.startswith(said) and (len(ending) > len(said) or goes_on) for ending in self._endings
        )

    def _decided(self) -> str:
        """Return what is held, without its repeat."""
        held, self._held = self._held, ""
        self._is_decided = True
        repeated = [end for ending in self._endings if (end := _end_of(held, ending)) is not None]
        return self._trimmed(held[max(repeated, default=0) or self._end_of_part(held) :])

    def _end_of_part(self, held: str) -> int:
        """Return where a repeat ends that goes on in other words: at its last whole clause."""
        said = _comparable(held)
        same = max(_shared_length(said, ending) for ending in self._endings)
        if same < _LEAST_SAME:
            return 0
        places = [place for _, place in _characters(held)]
        past = places[same] if same < len(places) else len(held)
        return next((at + 1 for at in range(past - 1, -1, -1) if held[at] in _SEAMS), 0)

    def _trimmed(self, text: str) -> str:
        """Return the text without the marks that ended what was spoken."""
        if self._trims:
            text = text.lstrip(" \t\"'\u2019”)]）】》」』" + "".join(_SEAMS))
            self._trims = not text
        return text


def _endings(spoken: str) -> list[str]:
    """Return the comparable text from the start of each clause on, the longest first."""
    starts = [0, *(at + 1 for at, sign in enumerate(spoken) if sign in _SEAMS)]
    endings = [_comparable(spoken[start:]) for start in starts]
    return [ending for ending in dict.fromkeys(endings) if len(ending) > 1]


def _end_of(held: str, ending: str) -> int | None:
    """Return where a repeat of that ending is over; None where the text is none, or goes on in mid-word."""
    characters = list(_characters(held))
    if "".join(sign for sign, _ in characters[: len(ending)]) != ending:
        return None
    end = characters[len(ending) - 1][1] + 1
    splits_word = end < len(held) and held[end - 1].isascii() and held[end - 1 : end + 1].isalnum()
    return None if splits_word and held[end].isascii() else end


def _shared_length(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _comparable(text: str) -> str:
    return "".join(sign for sign, _ in _characters(text))


def _characters(text: str) -> Iterator[tuple[str, int]]:
    """Yield letters and digits in one form, each with its place in the text."""
    for place, written in enumerate(text):
        for sign in unicodedata.normalize("NFKC", written).casefold():
            if sign.isalnum():
                yield sign, place
