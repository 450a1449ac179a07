"""Chinese words for numbers: 一千二百, 二零二六, 一三八 with 幺."""

from __future__ import annotations

from typing import Final

_DIGITS: Final = "零一二三四五六七八九"
# Longer than this it is a number of something (a card, an order), not an amount.
_MOST_DIGITS: Final = 8
_MOST_DIGITS_OF_AMOUNT: Final = 15
# Of the digits of a group, and of the groups of four digits, from the right.
_PLACES: Final = ("", "十", "百", "千")
_GROUPS: Final = ("", "万", "亿", "万")
# 两千 and 两万, but 二百 and 二十.
_TWO_BEFORE: Final = ("二千", "二万", "二亿")


def digits_zh(digits: str, *, one: str = "一") -> str:
    """Return the number digit by digit; other characters are left out.

    Args:
        digits: as written, with or without separators.
        one: 幺 in telephone, room and train numbers.
    """
    return "".join(one if digit == "1" else _DIGITS[int(digit)] for digit in digits if digit in "0123456789")


def whole_zh(digits: str, *, amount: bool = False) -> str:
    """Return a whole number; one with a leading zero, or too long for an amount, digit by digit."""
    longest = _MOST_DIGITS_OF_AMOUNT if amount else _MOST_DIGITS
    if len(digits) > longest or (len(digits) > 1 and digits[0] == "0"):
        return digits_zh(digits)
    words = _whole_words(int(digits))
    # "一十五" is how it is written on a cheque; it is said "十五".
    words = words.removeprefix("一") if words.startswith("一十") else words
    return "两" + words[1:] if words.startswith(_TWO_BEFORE) else words


def number_zh(written: str, *, amount: bool = False) -> str:
    """Return a number such as -12.50; thousands may be grouped with commas."""
    sign = "负" if written.startswith("-") else ""
    whole, point, fraction = written.lstrip("-+").replace(",", "").partition(".")
    words = whole_zh(whole or "0", amount=amount)
    return sign + words + (f"点{digits_zh(fraction)}" if point else "")


def price_zh(written: str) -> str:
    """Return an amount of money: 12.50 is 十二点五."""
    trimmed = written.rstrip("0").rstrip(".") if "." in written else written
    return number_zh(trimmed, amount=True)


def _whole_words(number: int) -> str:
    """Return a number below 10^16 as it is written on a cheque: 10 is 一十, 10010 is 一万零一十.

    Written here, since importing `cn2an` takes 4 MB and 85 ms of CPU in each process.
    """
    if number == 0:
        return _DIGITS[0]
    words, digits = "", f"{number:d}"
    for at, digit in enumerate(digits):
        group, place = divmod(len(digits) - 1 - at, 4)
        if digit != "0":
            gap = _DIGITS[0] if at and place != 3 and digits[at - 1] == "0" else ""
            words += gap + _DIGITS[int(digit)] + _PLACES[place]
        if place == 0 and (group == 2 or digits[max(0, at - 3) : at + 1].strip("0")):
            words += _GROUPS[group]
    return words
