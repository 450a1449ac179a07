"""Converting units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

import pint

from dispatcher.bundled.assistant.numbers import NUMBER, short_number
from dispatcher.bundled.assistant.query import Query
from dispatcher.bundled.engines import SpokenLanguage
from dispatcher.speech_text.rules import alternatives


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit.

    Attributes:
        name: what pint calls it.
        one: its English word for one; recognized too, like all the following.
        many: its English word for more.
        chinese: its Chinese words, the usual one first.
        short: further English words.
    """

    name: str
    one: str
    many: str
    chinese: tuple[str, ...]
    short: tuple[str, ...] = ()


UNITS: Final = (
    Unit("kilometer", "kilometer", "kilometers", ("公里", "千米"), ("kilometre", "kilometres", "km", "kms")),
    Unit("meter", "meter", "meters", ("米",), ("metre", "metres", "m")),
    Unit("centimeter", "centimeter", "centimeters", ("厘米", "公分"), ("centimetre", "centimetres", "cm")),
    Unit("millimeter", "millimeter", "millimeters", ("毫米",), ("millimetre", "millimetres", "mm")),
    Unit("mile", "mile", "miles", ("英里",)),
    Unit("yard", "yard", "yards", ("码",)),
    Unit("foot", "foot", "feet", ("英尺",), ("ft",)),
    Unit("inch", "inch", "inches", ("英寸", "寸")),
    Unit("chinese_li", "li", "li", ("里",)),
    Unit("kilogram", "kilogram", "kilograms", ("公斤", "千克"), ("kilo", "kilos", "kg")),
    Unit("gram", "gram", "grams", ("克",), ("g",)),
    Unit("pound", "pound", "pounds", ("磅",), ("lb", "lbs")),
    Unit("ounce", "ounce", "ounces", ("盎司",), ("oz",)),
    Unit("fluid_ounce", "fluid ounce", "fluid ounces", ("液量盎司",), ("fl oz",)),
    Unit("metric_ton", "ton", "tons", ("吨",), ("tonne", "tonnes")),
    Unit("jin", "jin", "jin", ("斤",), ("catty", "catties")),
    Unit("liang", "liang", "liang", ("两",)),
    Unit("liter", "liter", "liters", ("升",), ("litre", "litres", "l")),
    Unit("milliliter", "milliliter", "milliliters", ("毫升",), ("millilitre", "millilitres", "ml")),
    Unit("gallon", "gallon", "gallons", ("加仑",)),
    Unit("pint", "pint", "pints", ("品脱",)),
    Unit("cup", "cup", "cups", ("杯",)),
    Unit(
        "degC", "degree Celsius", "degrees Celsius", ("摄氏度",),
        ("celsius", "centigrade", "degrees centigrade", "degree c", "degrees c", "°c", "c"),
    ),
    Unit(
        "degF", "degree Fahrenheit", "degrees Fahrenheit", ("华氏度",),
        ("fahrenheit", "degree f", "degrees f", "°f", "f"),
    ),
    Unit("kelvin", "kelvin", "kelvin", ("开尔文",), ("kelvins",)),
    Unit("calendar_year", "year", "years", ("年",)),
    Unit("week", "week", "weeks", ("星期", "周", "礼拜")),
    Unit("day", "day", "days", ("天",)),
    Unit("hour", "hour", "hours", ("小时", "钟头")),
    Unit("minute", "minute", "minutes", ("分钟",)),
    Unit("second", "second", "seconds", ("秒", "秒钟")),
    Unit("square_meter", "square meter", "square meters", ("平方米", "平米"), ("square metres",)),
    Unit("square_foot", "square foot", "square feet", ("平方英尺",)),
    Unit("hectare", "hectare", "hectares", ("公顷",)),
    Unit("acre", "acre", "acres", ("英亩",)),
    Unit("mu", "mu", "mu", ("亩",)),
    Unit("kilometer_per_hour", "kilometer per hour", "kilometers per hour", ("公里每小时",), ("kph", "km/h")),
    Unit("mile_per_hour", "mile per hour", "miles per hour", ("英里每小时",), ("mph",)),
)  # fmt: skip

# Units that pint does not know or counts otherwise, as it writes them.
_DEFINITIONS: Final = (
    "calendar_year = 365 day",
    "jin = 500 gram",
    "liang = 50 gram",
    "chinese_li = 500 meter",
    "mu = 2000 / 3 * meter ** 2",
)


_BY_WORD: Final[dict[str, Unit]] = {
    word.lower(): unit for unit in UNITS for word in (unit.one, unit.many, *unit.short, *unit.chinese)
}
_UNIT_BY_NAME: Final = {unit.name: unit for unit in UNITS}
_LATIN: Final = alternatives([word for word in _BY_WORD if word.isascii() or word[0] == "°"])
_CHINESE_WORDS: Final = alternatives([word for word in _BY_WORD if not word.isascii() and word[0] != "°"])
_QUANTITY: Final = (
    rf"(?P<quantity>(?:{NUMBER}|an?) ?(?:{_LATIN}|degrees?)(?: (?:and )?{NUMBER} ?(?:{_LATIN}))?)"
)
_LINK: Final = r"(?: (?:are|is|do|does|go|make|there|you|get|have|need|it|take|in|into|for|from|up|equals?))*"
# The whole question, so that "5 feet 10 inches in cm" is not taken for the inches alone.
_QUESTIONS: Final = (
    re.compile(rf"(?:and |tell me |so |know )*how (?:many|much) (?P<to>{_LATIN}){_LINK} {_QUANTITY}"),
    re.compile(
        rf"(?:(?:and|so|tell me|know|what is|what are|how much is|how much are|how (?:hot|cold"
        rf"|far|long|heavy|tall) is"
        rf"|convert|change|turn|calculate) )*{_QUANTITY}(?: is| are| equals?)?"
        rf" (?:(?:in|to|into|as)(?: an?)?|(?:is )?how (?:many|much)|converted to) (?P<to>{_LATIN})"
    ),
)
_QUESTIONS_ZH: Final = (
    re.compile(
        rf"(?:把|将|那么?|算一?下)?(?P<quantity>{NUMBER}个?(?:{_CHINESE_WORDS}|度)(?:零?{NUMBER}个?(?:{_CHINESE_WORDS}))?)"
        rf"(?:是|等于|有|合|为|换算成|换算为|转换成|换成|转成|转为|化成|相当于|大概|大约)+(?:多少|几)?个?(?P<to>{_CHINESE_WORDS})(?:是|等于)?(?:多少)?[呢啊]?"
    ),
)
_AMOUNT: Final = re.compile(rf"({NUMBER}|\ban?) ?个?({_CHINESE_WORDS}|{_LATIN}|degrees?|度)")
_BELOW_ZERO: Final = re.compile(r"\b(?:minus|negative) (?=\d)|(?:0下|零下|负)(?=\d)")
_VOLUMES: Final = ("liter", "milliliter", "gallon", "pint", "cup")
_TEMPERATURES: Final = {"degC": "degF", "degF": "degC"}

# Nobody asks in passing for more.
_SPOKEN_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """Amounts in their units, such as 5 feet and 10 inches, and the unit that they are asked in."""

    amounts: tuple[tuple[float, Unit], ...]
    to: Unit


def convert(query: Query) -> str | None:
    """Answer how much something is in another unit."""
    wanted = parse_conversion(query.figures, query.language)
    if wanted is None:
        return None
    spoken = [query.say(_amount(number, of), _amount_zh(number, of)) for number, of in wanted.amounts]
    of, to = wanted.amounts[0][1], wanted.to
    try:
        value = sum(_converted(number, unit, to) for number, unit in wanted.amounts)
    except pint.DimensionalityError:
        return query.say(
            f"🙄 {of.many.capitalize()} and {to.many} measure different things.",
            f"🙄 {of.chinese[0]}和{to.chinese[0]}不是一类单位，换算不了。",
        )
    return query.say(
        f"🙂 {' '.join(spoken)} is {_amount(value, to)}.",
        f"🙂 {''.join(spoken)}等于{_amount_zh(value, to)}。",
    )


def parse_conversion(figures: str, language: SpokenLanguage) -> Conversion | None:
    """Return the conversion that a question with its numbers in digits asks for."""
    patterns = _QUESTIONS_ZH if language == "zh" else _QUESTIONS
    figures = _BELOW_ZERO.sub("-", figures)
    match = next((found for pattern in patterns if (found := pattern.fullmatch(figures))), None)
    if match is None:
        return None
    to = _BY_WORD[match["to"]]
    amounts = []
    for number, word in _AMOUNT.findall(match["quantity"]):
        # "20 degrees in Fahrenheit" are degrees Celsius.
        unit = _BY_WORD.get(word) or _UNIT_BY_NAME.get(_TEMPERATURES.get(to.name, ""))
        if unit is None:
            return None
        amounts.append((1.0 if number.startswith("a") else float(number), unit))
    # An ounce of what is measured in cups is a fluid one.
    if any(unit.name in _VOLUMES for unit in (to, *(unit for _, unit in amounts))):
        to = _fluid(to)
        amounts = [(number, _fluid(unit)) for number, unit in amounts]
    return Conversion(amounts=tuple(amounts), to=to)


def _fluid(unit: Unit) -> Unit:
    return _UNIT_BY_NAME["fluid_ounce"] if unit.name == "ounce" else unit


def as_question(conversion: Conversion, language: SpokenLanguage) -> str:
    """Return the question for a conversion, in words that are parsed to the same."""
    if language == "zh":
        return (
            "".join(_amount_zh(*each) for each in conversion.amounts) + f"等于多少{conversion.to.chinese[0]}"
        )
    return " ".join(_amount(*each) for each in conversion.amounts) + f" in {conversion.to.many}"


def unit_of(word: str) -> Unit | None:
    """Return the unit that a word names."""
    return _BY_WORD.get(word.lower())


def load_units() -> None:
    """Read pint's table, which takes half a second, before anybody asks."""
    _registry()


@cache
def _registry() -> pint.UnitRegistry[float]:
    registry: pint.UnitRegistry[float] = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


def _converted(number: float, of: Unit, to: Unit) -> float:
    return float(_registry().Quantity(number, of.name).to(to.name).magnitude)


def _amount(value: float, unit: Unit) -> str:
    count = short_number(value, _SPOKEN_DIGITS)
    return f"{count} {unit.one if count == '1' else unit.many}"


def _amount_zh(value: float, unit: Unit) -> str:
    return f"{short_number(value, _SPOKEN_DIGITS)}{unit.chinese[0]}"
