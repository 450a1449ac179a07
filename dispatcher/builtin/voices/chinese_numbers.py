"""Numbers in a Chinese text as Chinese words: the voice would read digits one by one, or not at all."""

from __future__ import annotations

import re
from typing import Final

from cn2an import an2cn

_DIGITS: Final = "零一二三四五六七八九"
_TIME: Final = re.compile(r"(?<!\d)(\d{1,2})[:：](\d{2})(?!\d)")
_YEAR: Final = re.compile(r"(?<!\d)(\d{4})(?=\s*年)")
_PERCENT: Final = re.compile(r"(-?\d+(?:\.\d+)?)\s*[%\uff05]")
_GROUPED: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMBER: Final = re.compile(r"(?<![\d.])(-?)(\d+)(?:\.(\d+))?")
# Two of something are 两, not 二.
_TWO: Final = re.compile(
    r"(?<![\d.百千万亿十])2(?=\s*(?:个|点|分钟|小时|天|次|位|只|条|本|块|杯|年|公里|米))"
)
_SIGNS: Final = {
    "℃": "摄氏度",
    "°C": "摄氏度",
    "℉": "华氏度",
    "°F": "华氏度",
    "°": "度",
    "+": "加",
    "=": "等于",
}
# Longer than this it is a telephone number, or nothing that a person would say as one number.
_MOST_DIGITS: Final = 8


def with_chinese_numbers(text: str) -> str:
    """Return the text with every number, time and percentage in words."""
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    text = _TWO.sub("两", _GROUPED.sub("", text))
    text = _TIME.sub(lambda match: _time(int(match[1]), int(match[2])), text)
    text = _YEAR.sub(lambda match: _digit_by_digit(match[1]), text)
    text = _PERCENT.sub(lambda match: "百分之" + _NUMBER.sub(_number, match[1]), text)
    return _NUMBER.sub(_number, text)


def _time(hour: int, minute: int) -> str:
    hours = "两" if hour == 2 else _whole(hour)
    if minute == 0:
        return f"{hours}点"
    minutes = _whole(minute) if minute >= 10 else "零" + _whole(minute)
    return f"{hours}点{minutes}分"


def _number(match: re.Match[str]) -> str:
    sign, whole, fraction = match.groups()
    words = _digit_by_digit(whole) if len(whole) > _MOST_DIGITS else _whole(int(whole))
    return ("负" if sign else "") + words + (f"点{_digit_by_digit(fraction)}" if fraction else "")


def _whole(number: int) -> str:
    words: str = an2cn(number)
    # "一十五" is how it is written on a cheque; it is said "十五".
    return words.removeprefix("一") if words.startswith("一十") else words


def _digit_by_digit(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)
