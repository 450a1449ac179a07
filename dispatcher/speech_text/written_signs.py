"""One way of writing for signs that have several: full-width digits, fractions, Roman and circled numbers."""

from __future__ import annotations

import re
from typing import Final

_HALF_WIDTH: Final = {full: chr(ord(full) - 0xFEE0) for full in "０１２３４５６７８９％＋＝－．／＜＞＄＃＆"}
_OTHERS: Final = {"−": "-", "‑": "-", "⁄": "/", "µ": "μ"} | dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_FRACTIONS: Final = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8", "⅜": "3/8",
    "⅝": "5/8", "⅞": "7/8",
}  # fmt: skip
_ROMAN_SIGNS: Final = {chr(0x2160 + index): f"{index + 1}" for index in range(12)}
_PLAIN: Final = str.maketrans(_HALF_WIDTH | _OTHERS | _FRACTIONS | _ROMAN_SIGNS)
_MIXED: Final = re.compile(rf"(?<=[0-9])(?=[{''.join(_FRACTIONS)}])")
_CIRCLED: Final = re.compile("[\u2460-\u2473]")

SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
_ROMAN: Final = "I II III IV V VI VII VIII IX X XI XII"
ROMAN: Final = {each: index for index, each in enumerate(_ROMAN.split(), 1)}


def as_plain_signs(text: str, *, circled: str) -> str:
    """Return the text with every digit and sign in its plain form.

    Args:
        text: any text.
        circled: how a circled number is written, with {} for the number.
    """
    text = _CIRCLED.sub(lambda match: circled.format(ord(match[0]) - 0x245F), text)
    return _MIXED.sub(" ", text).translate(_PLAIN)
