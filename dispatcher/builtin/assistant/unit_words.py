"""The units that the assistant knows, by the words that people say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


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

# Chinese units that pint does not know, as it writes them.
DEFINITIONS: Final = (
    "jin = 500 gram",
    "liang = 50 gram",
    "chinese_li = 500 meter",
    "mu = 2000 / 3 * meter ** 2",
)
