"""Limits of a reply that its model does not end: spoken time, and repetition."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from dispatcher.speech_text.cjk import CJK

# An unhurried voice: four and a half characters of Chinese, or two and a half words, in a second.
_S_PER_CHARACTER: Final = 1 / 4.5
_S_PER_WORD: Final = 1 / 2.5
_SPOKEN: Final = re.compile(f"[{CJK}]|[^\\W{CJK}]+")
_ENDS: Final = re.compile(r"[.!?。！？…\n]+")
_ENDED: Final = re.compile(r"[.!?。！？…][\"'\u2019”)\]）】》」』*_~]*\s*$")
# Where no sentence ends, a reply is ended in mid-sentence after so much more.
_OVER_RATIO: Final = 1.25
_MOST_TIMES: Final = 3
# "Ha! Ha! Ha!" and a refrain of a word or two are no loop yet.
_LEAST_CHARACTERS: Final = 6
_LONGEST_PERIOD: Final = 40
_TAIL: Final = 4 * _LONGEST_PERIOD
# So much text of which nothing can be said or cut is no language.
MOST_UNSPOKEN: Final = 800


class ReplyLimits:
    """What was said of one reply, and whether it may go on."""

    def __init__(self, max_reply_s: float) -> None:
        """Begin with nothing said; `max_reply_s` is spoken time."""
        self._max_s = max_reply_s
        self._spoken_s = 0.0
        self._has_ended = True
        self._times: Counter[str] = Counter()
        self._tail = ""

    def refusal(self, text: str) -> str:
        """Return why a piece may not be said any more, in words for people; count one that may."""
        duration_s = spoken_s(text)
        total_s = self._spoken_s + duration_s
        most_s = self._max_s * (1.0 if self._has_ended else _OVER_RATIO)
        if self._spoken_s and total_s > most_s:
            return f"the reply is longer than {self._max_s:g} s"
        if self._find_loop(text):
            return "the reply repeats itself"
        self._spoken_s = total_s
        self._has_ended = bool(_ENDED.search(text))
        return ""

    def _find_loop(self, text: str) -> bool:
        """Return whether a sentence comes for the third time, or one short run of text over and over."""
        for sentence in map(_comparable, _ENDS.split(text)):
            self._times[sentence] += len(sentence) >= _LEAST_CHARACTERS
            if self._times[sentence] >= _MOST_TIMES:
                return True
        self._tail = (self._tail + _comparable(text))[-_TAIL:]
        return len(self._tail) == _TAIL and 0 < _period(self._tail) <= _LONGEST_PERIOD


def spoken_s(text: str) -> float:
    """Return about how long a voice takes to say a text."""
    return sum(
        _S_PER_CHARACTER if len(part) == 1 and part >= "\u2e80" else _word_s(part)
        for part in _SPOKEN.findall(text)
    )


def _word_s(word: str) -> float:
    """Return the time of a word; digits are said one by one, and no word is longer than twenty letters."""
    return _S_PER_WORD * (len(word) / 2 if word.isdigit() else max(1.0, len(word) / 20))


def _comparable(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _period(text: str) -> int:
    """Return after how many characters the text repeats itself to its end (Knuth, Morris and Pratt)."""
    longest = [0] * len(text)
    size = 0
    for at in range(1, len(text)):
        while size and text[at] != text[size]:
            size = longest[size - 1]
        size += text[at] == text[size]
        longest[at] = size
    return len(text) - longest[-1]
