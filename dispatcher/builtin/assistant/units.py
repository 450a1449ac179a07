"""Converting units."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import pint

from dispatcher.builtin.assistant.asked import Asked
from dispatcher.builtin.assistant.numbers import short_number
from dispatcher.builtin.assistant.unit_words import DEFINITIONS, UNITS, Unit

_BY_WORD: Final[dict[str, Unit]] = {
    word.lower(): unit for unit in UNITS for word in (unit.one, unit.many, *unit.short, *unit.chinese)
}


def _either(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_LATIN: Final = _either([word for word in _BY_WORD if word.isascii() or word[0] == "°"])
_HAN: Final = _either([word for word in _BY_WORD if not word.isascii() and word[0] != "°"])
_NUMBER: Final = r"(?P<number>-?\d+(?:\.\d+)?|an?)"
_HOW_MANY: Final = re.compile(
    rf"how (?:many|much) (?P<to>{_LATIN})(?: (?:are|is|do|does|go|make|there|you|get|have|need|it|take))*"
    rf"(?: in| into| for| from| up)* {_NUMBER} ?(?P<of>{_LATIN})\b"
)
_TO: Final = re.compile(
    rf"(?<![\d.]){_NUMBER} ?(?P<of>{_LATIN})(?: is| are| equals?)?"
    rf"(?: (?:in|to|into|as)(?: an?)?| (?:is )?how (?:many|much)) (?P<to>{_LATIN})\b"
)
_CHINESE: Final = re.compile(
    rf"(?P<number>-?\d+(?:\.\d+)?)个?(?P<of>{_HAN})"
    rf"(?:是|等于|有|合|为|换算成|转换成|换成|转成|相当于)+(?:多少|几)?个?(?P<to>{_HAN})"
)

# Nobody asks in passing for more.
HEARD_DIGITS: Final = 4


def convert(asked: Asked) -> str | None:
    """Answer how much something is in another unit."""
    chinese = asked.language == "zh"
    patterns = (_CHINESE,) if chinese else (_HOW_MANY, _TO)
    match = next((found for pattern in patterns if (found := pattern.search(asked.figures))), None)
    if match is None:
        return None
    of, to = _BY_WORD[match["of"]], _BY_WORD[match["to"]]
    number = 1.0 if match["number"].startswith("a") else float(match["number"])
    try:
        value = float(_registry().Quantity(number, of.name).to(to.name).magnitude)
    except pint.DimensionalityError:
        if chinese:
            return f"🙄 {of.chinese[0]}和{to.chinese[0]}不是一类单位，换算不了。"
        return f"🙄 {of.many.capitalize()} and {to.many} measure different things."
    if chinese:
        result = short_number(value, HEARD_DIGITS)
        return f"🙂 {short_number(number)}{of.chinese[0]}等于{result}{to.chinese[0]}。"
    return f"🙂 {_amount(number, of)} is {_amount(value, to)}."


def load_units() -> None:
    """Read pint's table, which takes half a second, before anybody asks."""
    _registry()


@cache
def _registry() -> pint.UnitRegistry[float]:
    registry: pint.UnitRegistry[float] = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    for definition in DEFINITIONS:
        registry.define(definition)
    return registry


def _amount(value: float, unit: Unit) -> str:
    count = short_number(value, HEARD_DIGITS)
    return f"{count} {unit.one if count == '1' else unit.many}"
