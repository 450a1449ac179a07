"""Numbers in words, converted to digits, and digits short enough to listen to."""

from __future__ import annotations

import math
import re
from typing import Final

from cn2an import cn2an

from dispatcher.bundled.engines import SpokenLanguage
from dispatcher.speech_text.english_words import two_digits_en
from dispatcher.speech_text.rules import alternatives

# A number in digits, for use in patterns.
NUMBER: Final = r"-?\d+(?:\.\d+)?"
_SMALL: Final = {two_digits_en(value): value for value in (*range(20), *range(20, 100, 10))}
_LARGE: Final = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_DIGIT: Final = "|".join([*_SMALL][:10])
_BELOW_100: Final = f"(?:{alternatives(map(two_digits_en, range(100)))})".replace(r"\-", "[ -]")
_GROUP: Final = rf"{_BELOW_100}(?: hundred(?:(?: and)? {_BELOW_100})?)?"
_NUMBER_WORDS: Final = re.compile(
    rf"\b{_GROUP}(?: (?:{'|'.join(_LARGE)})(?:(?: and)? {_GROUP})?)*(?: point(?: (?:{_DIGIT}))+)?\b"
)
_MIXED: Final = re.compile(rf"\b({NUMBER}) (hundred|thousand|million|billion)\b")
# 两 after a digit is the unit of weight, not a two.
_NUMBER_WORDS_ZH: Final = re.compile(
    r"(?:(?<![一二三四五六七八九十])两|[零\u3007一二三四五六七八九十百千万亿])+(?:点[零\u3007一二三四五六七八九]+)?"
)
# "a hundred" is one hundred.
_ONE: Final = re.compile(r"\ban? (hundred|thousand|million|billion)\b")
_HALF: Final = re.compile(r"\b(\d+) and a half\b")
_MOST_DECIMALS: Final = 12


def with_digits(text: str, language: SpokenLanguage) -> str:
    """Return the text with its numbers in digits."""
    if language == "zh":
        return _NUMBER_WORDS_ZH.sub(_chinese, text)
    text = _NUMBER_WORDS.sub(lambda match: str(_english(match[0])), _ONE.sub(r"one \1", text))
    text = _HALF.sub(r"\1.5", text)
    return _MIXED.sub(
        lambda match: short_number(float(match[1]) * ({"hundred": 100} | _LARGE)[match[2]]), text
    )


def short_number(value: float, significant: int = 6) -> str:
    """Return a number as one would say it: all whole digits, few of a fraction."""
    if value == 0:
        return "0"
    decimals = min(_MOST_DECIMALS, max(0, significant - 1 - math.floor(math.log10(abs(value)))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _english(words: str) -> int | float:
    whole, _, fraction = words.replace("-", " ").partition(" point ")
    total = current = 0
    for word in whole.split():
        if word == "hundred":
            current = max(current, 1) * 100
        elif word in _LARGE:
            total += max(current, 1) * _LARGE[word]
            current = 0
        else:
            current += _SMALL.get(word, 0)
    if not fraction:
        return total + current
    return float(f"{total + current}." + "".join(str(_SMALL[digit]) for digit in fraction.split()))


def _chinese(match: re.Match[str]) -> str:
    words = match[0].replace("\u3007", "零")
    try:
        return short_number(cn2an(words, "smart"))
    except (ValueError, OverflowError):
        # Not a number after all, such as 百 alone in a name, or one that nobody would say.
        return words
