"""English words for numbers: one thousand two hundred, twenty twenty-six, twenty-first."""

from __future__ import annotations

from typing import Final

_SMALL: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS: Final = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES: Final = ("", " thousand", " million", " billion", " trillion")
_ORDINALS: Final = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_MOST_DIGITS: Final = 15


def digits_en(digits: str, *, zero: str = "zero") -> str:
    """Return the number digit by digit; other characters are left out.

    Args:
        digits: as written, with or without separators.
        zero: "oh" in room and telephone numbers.
    """
    return " ".join(zero if digit == "0" else _SMALL[int(digit)] for digit in digits if digit in "0123456789")


def whole_en(digits: str) -> str:
    """Return a whole number; one with a leading zero, or too long for an amount, digit by digit."""
    if len(digits) > _MOST_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return digits_en(digits)
    number = int(digits)
    groups: list[str] = []
    for scale in _SCALES:
        number, group = divmod(number, 1000)
        if group:
            groups.append(_below_thousand(group) + scale)
    return " ".join(reversed(groups)) or "zero"


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if rest or not hundreds:
        words.append(two_digits_en(rest))
    return " ".join(words)


def two_digits_en(number: int) -> str:
    """Return a number below 100."""
    if number < 20:
        return _SMALL[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_SMALL[ones]}" if ones else "")


def number_en(written: str) -> str:
    """Return a number such as -12.50; thousands may be grouped with commas."""
    sign = "minus " if written.startswith("-") else ""
    whole, point, fraction = written.lstrip("-+").replace(",", "").partition(".")
    return sign + whole_en(whole or "0") + (f" point {digits_en(fraction)}" if point else "")


def ordinal_en(digits: str) -> str:
    """Return 21 as twenty-first."""
    words = whole_en(digits)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    if last in _ORDINALS:
        return head + _ORDINALS[last]
    return head + (last[:-1] + "ieth" if last.endswith("y") else last.removesuffix("t") + "th")


def year_en(digits: str) -> str:
    """Return a year: nineteen oh five, two thousand six, twenty twenty-six."""
    century, rest = divmod(int(digits), 100)
    if century % 10 == 0 and rest < 10:
        return whole_en(digits)
    ending = "hundred" if not rest else f"oh {_SMALL[rest]}" if rest < 10 else two_digits_en(rest)
    return f"{two_digits_en(century)} {ending}"


def decade_en(digits: str) -> str:
    """Return 1990 as nineteen nineties, 80 as eighties."""
    words = whole_en(digits) if len(digits) < 4 else year_en(digits)
    return words[:-1] + "ies" if words.endswith("y") else words + "s"
