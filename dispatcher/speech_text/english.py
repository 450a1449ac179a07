"""Rules that say the numbers, dates, units, signs and abbreviations of an English text in words.

The order matters: what is more particular comes first, and leaves no digits for what follows.
"""

from __future__ import annotations

import re
from typing import Final

from dispatcher.speech_text.english_units import ABBREVIATIONS, CURRENCIES, MONTHS, SIGNS, UNITS
from dispatcher.speech_text.english_words import (
    decade_en,
    digits_en,
    number_en,
    ordinal_en,
    two_digits_en,
    whole_en,
    year_en,
)
from dispatcher.speech_text.rules import (
    ISO_TIME_RULES,
    NUMBER,
    SIGNED,
    Match,
    Rule,
    after,
    alternatives,
    before,
    date_rules,
    rewrite,
    rule,
)
from dispatcher.speech_text.written_signs import ROMAN, SUPERSCRIPTS, as_plain_signs

_TO: Final = r"\s?[-~–—]\s?"
_MONTH: Final = "|".join(f"{month[:3]}(?:{month[3:]}|t?\\.)?" for month in MONTHS)
_MONTH_NAMES: Final = {month[:3]: month for month in MONTHS}
_SCORE_CONTEXT: Final = re.compile(
    r"(?:score|ratio|aspect|won|lost|beat|by|odds|lead|win|draw|mix)\b[^.]{0,10}$", re.IGNORECASE
)
_YEAR_BEFORE: Final = re.compile(
    r"(?:\b(?:in|since|by|from|of|year|until|before|after|during|between|and|early|late"
    r"|circa|spring|summer|fall|autumn|winter)"
    rf"|{_MONTH})[\s,(]*$",
    re.IGNORECASE,
)
_DIGITS_BEFORE: Final = re.compile(
    r"\b(?:code|PIN|password|extension|ext|ID|zip|account|serial|dial|call|phone|number is)\b[^\d]{0,5}$",
    re.IGNORECASE,
)
_DENOMINATORS: Final = {"2": ("half", "halves"), "4": ("quarter", "quarters")}
_POWERS: Final = {"2": " squared", "3": " cubed"}


def normalize_en(text: str) -> str:
    """Return an English text with no digits left, every number as it is said."""
    return rewrite(as_plain_signs(text, circled="{}, "), _RULES)


def _date(year: str, month: int, day: int) -> str:
    return f"{MONTHS[month - 1]} {ordinal_en(str(day))}, {year_en(year)}"


def _called(match: Match) -> str:
    return ", ".join(digits_en(group) for group in re.findall(r"\d+", match[0]))


def _month_and_day(match: Match) -> str:
    return f"{_MONTH_NAMES[match['month'][:3]]} {ordinal_en(str(int(match['day'])))}"


def _clock(match: Match) -> str:
    hour, minute, second, half = int(match[1]), int(match[2]), match[3], match[4]
    if half is None and _SCORE_CONTEXT.search(before(match, 20)):
        return f"{whole_en(str(hour))} to {number_en(str(minute))}"
    words = two_digits_en(hour)
    if minute:
        words += f" {'oh ' if minute < 10 else ''}{two_digits_en(minute)}"
    elif not half:
        words += " o'clock" if 0 < hour <= 12 else " hundred hours"
    if second:
        words += f" and {_counted(str(int(second)), 'second', 'seconds')}"
    return words + (_half_of_day(half) if half else "")


def _half_of_day(half: str) -> str:
    # The point of "p.m." may end the sentence too; a voice reads "PM" letter by letter.
    return f" {half.replace('.', '').upper()}"


def _counted(number: str, one: str, many: str) -> str:
    return f"{number_en(number)} {one if number.lstrip('-') == '1' else many}"


def _money(match: Match) -> str:
    one, many, part = CURRENCIES[match["currency"]]
    price, scale, sign = match["price"].replace(",", ""), match["scale"], "minus " if match["sign"] else ""
    if match["upto"]:
        return f"{sign}{number_en(price)} to {number_en(match['upto'])}{_scale(scale)} {many}"
    if scale:
        return f"{sign}{number_en(price)}{_scale(scale)} {many}"
    whole, _, hundredths = price.partition(".")
    if not part or len(hundredths) not in (0, 2):
        return f"{sign}{_counted(price.rstrip('0').rstrip('.') if hundredths else price, one, many)}"
    said = [_counted(whole, one, many)] if int(whole) or not int(hundredths or "0") else []
    if int(hundredths or "0"):
        said.append(_counted(str(int(hundredths)), part, "pence" if part == "p" else f"{part}s"))
    return sign + " and ".join(said)


def _scale(written: str | None) -> str:
    full = {"k": "thousand", "K": "thousand", "M": "million", "B": "billion"}
    return f" {full.get(written, written)}" if written else ""


def _temperature(match: Match) -> str:
    scale = "Fahrenheit" if match["scale"][-1] in "F℉" else "Celsius"
    upto = f" to {number_en(match['last'])}" if match["last"] else ""
    degrees = "degree" if match["first"] == "1" and not upto else "degrees"
    return f"{number_en(match['first'])}{upto} {degrees} {scale}"


def _fraction(match: Match) -> str:
    whole, over, under = match["whole"], match["over"], match["under"]
    if "=" in after(match, 2):
        return f"{whole_en(over)} divided by {whole_en(under)}"
    if int(over) >= int(under):
        return f"{whole_en(over)} {whole_en(under)}"
    one, many = _DENOMINATORS.get(under) or (ordinal_en(under), f"{ordinal_en(under)}s")
    said = f"{whole_en(over)} {one if over == '1' else many}"
    if not whole:
        return said
    return f"{whole_en(whole)} and {'a ' + one if over == '1' else said}"


def _unit(match: Match) -> str:
    return _counted(match["number"], *UNITS[match["unit"]])


def _dotted(match: Match) -> str:
    parts = match["parts"].split(".")
    say = digits_en if len(parts) == 4 else whole_en
    return (f"{match['name']} " if match["name"] else "") + " point ".join(say(part) for part in parts)


def _year(match: Match) -> str:
    return year_en(match[0]) if _is_year(match) else match[0]


def _is_year(match: Match) -> bool:
    if _YEAR_BEFORE.search(before(match, 12)):
        return True
    return 1900 <= int(match[0]) < 2100 and not re.match(r"\s?[*+=×÷/-]", after(match, 3))


def _code(match: Match) -> str:
    return digits_en(match[0]) if _DIGITS_BEFORE.search(before(match, 16)) else match[0]


def _model(match: Match) -> str:
    digits = match["digits"]
    say = digits_en(digits) if len(digits) > 2 else whole_en(digits)
    return f"{match['name']} {say}" + (" " if after(match, 1).isalpha() else "")


def _power(match: Match) -> str:
    power = match[1].translate(SUPERSCRIPTS)
    said = power if power == "n" else number_en(power)
    return _POWERS.get(power, f" to the power of {said}")


def _spaced(match: Match, said: str) -> str:
    return f" {said} " if match.start() else f"{said} "


_RULES: Final[tuple[Rule, ...]] = (
    rule(r"\d{16,}", lambda match: digits_en(match[0])),
    rule(
        r"(?<!\d)(\d{2,3})/(\d{2,3})\s?mmHg",
        lambda match: f"{whole_en(match[1])} over {whole_en(match[2])} millimeters of mercury",
    ),
    rule(r"(?<!\d)(\d{3,4})p\b", lambda match: f"{year_en(match[1])} P"),
    *ISO_TIME_RULES,
    rule(
        rf"(?<![\w])(?:{alternatives(ABBREVIATIONS)})(?![\w])",
        lambda match: ABBREVIATIONS[match[0]],
    ),
    rule(r"\bSt\.(?=\s[A-Z])", "Saint"),
    rule(r"(?<=[a-z] )St\.?(?![\w])", "Street"),
    *date_rules(_date),
    rule(
        rf"(?<![\d.:])(?P<day>[0-3]?\d)(?:st|nd|rd|th)?\s(?:of\s)?(?P<month>{_MONTH})(?![A-Za-z])",
        lambda match: f"{ordinal_en(str(int(match['day'])))} of {_MONTH_NAMES[match['month'][:3]]}",
    ),
    rule(r"(?<=:\d\d)\s?[-~–—]\s?(?=\d{1,2}:\d\d)", " to "),
    rule(r"\b(?:USD|US\$)\s?(?=\d)", "$"),
    rule(rf"({NUMBER})\s?USD\b", r"$\1"),
    rule(r"\b9/11\b", "nine eleven"),
    rule(r"(?<![\d,.$-])911(?![\d,.-]\d|\d)", "nine one one"),
    rule(r"(?<![\d.])(\d)['’](\d{1,2})(?:[\"”]|(?!\d))", r"\1 foot \2"),
    rule(rf"\b(?P<month>{_MONTH})\s(?P<day>[0-3]?\d)(?:st|nd|rd|th)?(?![\d:.,]\d|\d)", _month_and_day),
    rule(r"(?<!\d)(1[1-9]\d0|20\d0)['’]?s\b", lambda match: decade_en(match[1])),
    rule(r"(?<!\w)['’]?([2-9]0)s\b", lambda match: decade_en(match[1])),
    rule(
        r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:])"
        r"(?:\s?([AaPp]\.?[Mm](?:\.(?=\s[a-z]|[,;])|(?![A-Za-z]))))?",
        _clock,
    ),
    rule(
        r"(?<![\d.:])(1[0-2]|[1-9])\s?([AaPp]\.?[Mm](?:\.(?=\s[a-z]|[,;])|(?![A-Za-z])))",
        lambda match: whole_en(match[1]) + _half_of_day(match[2]),
    ),
    rule(
        r"(?<![\d.])(\d{1,6}(?:\.\d{1,3})?)\s?[:∶]\s?(?=\d)",
        lambda match: f"{number_en(match[1])} to ",
    ),
    rule(
        r"(?<![\w.])(?:\+\d{1,3}[- ])?(?:\(\d{3}\)\s?|\d{3}[- .])\d{3,4}[- .]\d{4}(?![\d.]\d|\d)",
        _called,
    ),
    rule(r"(?<![\d.-])\d{3}-\d{4}(?![\d-])", _called),
    # As in China: a mobile, and a number behind its area.
    rule(r"(?<![\w.,])(?:1[3-9]\d{9}(?<!0{5})|0\d{2,3}-\d{7,8})(?![\d.,]\d|\d)", _called),
    rule(r"(?<![\d.,])\d{3,20}(?![\d.,]\d|\d)", _code),
    rule(
        r"\b(?P<name>(?:[Rr]oom|[Ff]light|[Aa]partment|[Aa]pt\.?|[Ss]uite|[Rr]oute|[Bb]us|[Gg]ate|[Hh]ighway)\s)"
        r"(?P<digits>\d{3,4})(?!\d)",
        lambda match: match["name"] + digits_en(match["digits"], zero="oh"),
    ),
    rule(
        rf"(?P<sign>(?<!\w)-)?(?P<currency>{alternatives(CURRENCIES)})\s?(?P<price>{NUMBER})"
        rf"(?:{_TO}(?:[$€£¥])?(?P<upto>{NUMBER}))?"
        r"(?:\s?(?P<scale>thousand|million|billion|trillion|[kKMB]\b))?",
        _money,
    ),
    rule(
        r"(?P<name>\b[vV]|(?<![\w.]))(?P<parts>\d{1,6}(?:\.\d{1,6}){2,5})(?!\d)",
        _dotted,
    ),
    rule(
        rf"(?P<first>{SIGNED})(?:\s?°?[CF]?{_TO}(?P<last>-?{NUMBER}))?\s?(?P<scale>℃|℉|°\s?[CF])(?![a-z])",
        _temperature,
    ),
    rule(rf"(?<=\d)\s?%?\s?[-~–—]\s?(?={NUMBER}\s?%)", " to "),
    rule(r"(?<=\d)\s?%", " percent"),
    rule(r"(?<![\d-])(\d{4})[-~–—](\d{2,4})(?=\s(?:season|academic|school))", r"\1 to \2"),
    rule(r"(?<=\d)-(?=\d{1,6}-)|(?<=-\d)-(?=\d)", " dash "),
    rule(r"(?<![\w.-])(\d[\d,.]{0,15})[-~–—](?=\d[\d,.]{0,15}(?![\d-]))", r"\1 to "),
    rule(r"(?<=\d)\s?[~–—]\s?(?=\d)", " to "),
    rule(
        r"(?<![\d/.])(?:(?P<whole>\d{1,6})\s)?(?P<over>\d{1,6})/(?P<under>\d{1,6})(?![\d/])",
        _fraction,
    ),
    rule(
        rf"(?P<number>(?<![\d.A-Za-z])-?{NUMBER})\s?(?P<unit>{alternatives(UNITS)})(?![A-Za-z²³/0-9'’])",
        _unit,
    ),
    rule(r"(?:\bN[oO]\.\s?|№\s?|#)(\d{1,8})(?!\d)", lambda match: f"number {whole_en(match[1])}"),
    rule(
        r"(?<![\d.])(\d{1,3}(?:,\d{3})*|\d{1,9})(?:st|nd|rd|th)\b",
        lambda match: ordinal_en(match[1].replace(",", "")),
    ),
    rule(
        r"\b((?:Chapter|Part|Act|Volume|Phase|Type|Section|Class|War|Book|Level|Stage|Bowl)\s)"
        r"(I{1,3}|I?[VX]|VI{1,3}|XI{1,2})\b",
        lambda match: match[1] + whole_en(str(ROMAN[match[2]])),
    ),
    rule(
        r"(?<=\d)[eE]([+-]?\d{1,3})\b",
        lambda match: f" times ten to the power of {number_en(match[1])}",
    ),
    rule(r"(?<=\d)[*xX](?=\d)", " times "),
    rule(r"(?<=[⁰¹²³⁴-⁹])-(?=\w)", " minus "),
    rule(r"(?<=[⁰¹²³⁴-⁹])\+(?=\w)", " plus "),
    rule(r"(?<!\S)\+(?=\d)", "plus "),
    rule(r"(?P<name>[A-Za-z]{1,20})-?(?P<digits>\d{1,15})(?!\d|\.\d)", _model),
    rule(r"(?<=[A-Za-z])-?(?=\d)", " "),
    rule(r"([⁻⁺]?[⁰¹²³⁴-⁹]{1,4}|ⁿ)", _power),
    rule(r"\^(-?\d{1,4}|n)(?!\d)", _power),
    rule(r"(?<=[\d)])\s?[*xX]\s?(?=[\d(])", " times "),
    rule(r"(?<=\d)\s-\s(?=\d)", " minus "),
    rule(r"(?<!\w)~(?=\d)", "about "),
    rule(r"(?<=\w)\s\+\s(?=\w)|(?<=\d)\+(?=\d)", " plus "),
    rule(r"(?<=\d)\+", " plus"),
    rule(r"(?<![\w.,-])[12]\d{3}(?![\w]|[.,]\d)", _year),
    rule(r"(?<=\d)(?=[A-Za-z])", " "),
    rule(SIGNED, lambda match: number_en(match[0])),
    rule(r"\d", lambda match: _spaced(match, digits_en(match[0]))),
    rule(alternatives(SIGNS), lambda match: _spaced(match, SIGNS[match[0]])),
    rule(r"[~^]", ""),
    rule(r" {2,}", " "),
    rule(r" (?=[,.!?;:](?:\s|$))", ""),
)
