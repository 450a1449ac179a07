"""Rules that say the numbers, dates, units and signs of a Chinese text in Chinese words.

The order matters: what is more particular comes first, and leaves no digits for what follows.
"""

from __future__ import annotations

import re
from typing import Final

from dispatcher.speech_text.chinese_units import CURRENCIES, MEASURES, POWERS, SIGNS, UNITS
from dispatcher.speech_text.chinese_words import digits_zh, number_zh, price_zh, whole_zh
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

_TO: Final = r"\s?(?:[~～–—到至]|-)\s?"
_CLOCK: Final = r"(?:[01]?\d|2[0-4])[:：][0-5]\d"
# After this many characters a word before a number says nothing about it any more.
_RATIO_BEFORE: Final = re.compile(r"比分|比例|比为|之比|比率|比是|稀释|画面|屏幕|宽高比|比$")
_SCORE_AFTER: Final = re.compile(
    r"^\s?(?:的比分|的?优势|胜|获胜|取胜|战胜|击败|大胜|险胜|战平|领先|落后|赢|输|负于|逆转|的?比例)"
)
_CALL_BEFORE: Final = re.compile(r"(?:拨打|电话|热线|报警|号码|客服|拨|打|手机)[^\d]{0,4}$")
_DIGITS_BEFORE: Final = re.compile(
    r"(?:验证码|密码|编号|尾号|邮编|学号|工号|账号|帐号|卡号|车牌|订单号|单号|门牌号?|房间号?|房号|口令|取件码|QQ)[^\d]{0,3}$"
)


def normalize_zh(text: str) -> str:
    """Return a Chinese text with no digits left, every number as it is said."""
    return rewrite(as_plain_signs(text, circled="{}、"), _RULES)


_HALF_OF_DAY: Final = re.compile(r"[早凌清午晚夜][上晨午间里]?\s?$")


def _date(year: str, month: int, day: int) -> str:
    return f"{digits_zh(year)}年{whole_zh(str(month))}月{whole_zh(str(day))}日"


def _clock(match: Match) -> str:
    if _is_ratio(match):
        return f"{number_zh(match[1])}比{number_zh(match[2])}"
    hour, minute, second = int(match[1]), int(match[2]), match[3]
    words = ("两" if hour == 2 else whole_zh(str(hour))) + "点"
    if minute or second:
        words += _two_digits(minute) + "分"
    return words + (_two_digits(int(second)) + "秒" if second else "")


def _two_digits(number: int) -> str:
    return ("零" if 0 < number < 10 else "") + whole_zh(str(number))


def _is_ratio(match: Match) -> bool:
    return bool(_RATIO_BEFORE.search(before(match)) or _SCORE_AFTER.match(after(match)))


def _half_of_day(match: Match) -> str:
    morning = match[4][0] in "aA"
    told = _HALF_OF_DAY.search(before(match, 4))
    return ("" if told else "上午" if morning else "下午") + _clock(match)


def _range(match: Match) -> str:
    first, last = match["first"], match["last"]
    rising = float(first.replace(",", "")) < float(last.replace(",", ""))
    if match["dash"] != "-" or (rising and not re.search(r"=\s?$|^\s?=", before(match, 3) + after(match, 3))):
        return f"{first}到{last}"
    if "=" in after(match, 3):
        return f"{first}减{last}"
    return f"{first}比{last}" if _is_ratio(match) else f"{number_zh(first)}杠{number_zh(last)}"


def _money(match: Match) -> str:
    sign = "负" if match["sign"] else ""
    upto = f"到{price_zh(match['upto'])}" if match["upto"] else ""
    return f"{sign}{price_zh(match['price'])}{upto}{match['scale'] or ''}{CURRENCIES[match['currency']]}"


def _temperature(match: Match) -> str:
    numbers = [_degrees(each) for each in (match["first"], match["last"]) if each]
    return "到".join(numbers) + ("华氏度" if match["scale"] in ("℉", "°F") else match["degree"] or "摄氏度")


def _degrees(written: str) -> str:
    return ("零下" if written.startswith("-") else "") + number_zh(written.lstrip("-"))


def _percent(match: Match) -> str:
    first, last = match["first"], match["last"]
    whole = "千分之" if match["sign"] == "‰" else "百分之"
    said = ("负" if first.startswith("-") else "") + whole + number_zh(first.lstrip("-"))
    return said if last is None else f"{said}到{whole}{number_zh(last)}"


def _fraction(match: Match) -> str:
    whole, over, under = match["whole"], match["over"], match["under"]
    if "=" in after(match, 2):
        return f"{number_zh(over)}除以{number_zh(under)}"
    return (f"{number_zh(whole)}又" if whole else "") + f"{number_zh(under)}分之{number_zh(over)}"


def _unit(match: Match) -> str:
    number = "两" if match["number"] == "2" else number_zh(match["number"])
    return number + UNITS[match["unit"]]


def _dotted(match: Match) -> str:
    parts = match[1].split(".")
    say = digits_zh if len(parts) == 4 else whole_zh
    return "点".join(say(part) for part in parts)


def _power(match: Match) -> str:
    power = match[1].translate(SUPERSCRIPTS)
    exponent = power if power == "n" else number_zh(power)
    return POWERS.get(power, f"的{exponent}次方")


def _called(match: Match) -> str:
    return digits_zh(match[0], one="幺")


def _hotline(match: Match) -> str:
    context = before(match, 10)
    return _called(match) if _CALL_BEFORE.search(context) or _DIGITS_BEFORE.search(context) else match[0]


def _model(match: Match) -> str:
    digits = match["digits"]
    words = digits_zh(digits, one="幺") if len(digits) > 2 else whole_zh(digits)
    return match["name"] + words


def _roman(match: Match) -> str:
    return match[1] + whole_zh(str(ROMAN[match[2]]))


_RULES: Final[tuple[Rule, ...]] = (
    *ISO_TIME_RULES,
    *date_rules(_date),
    rule(
        rf"(?<!\d)((?:1[89]|20)\d\d){_TO}((?:1[89]|20)\d\d)(?!\d)(?=\s?(?:年|学年|赛季))",
        lambda match: f"{digits_zh(match[1])}到{digits_zh(match[2])}",
    ),
    rule(r"(?<!\d)(\d{4}|0\d)(?=\s?年)", lambda match: digits_zh(match[1])),
    rule(r"(?<!\d)((?:1[89]|20)\d0)['’]?s\b", lambda match: f"{digits_zh(match[1])}年代"),
    rule(rf"(?<=[:：]\d\d){_TO}(?={_CLOCK})", "到"),
    rule(
        r"(?<![\d:])([01]?\d)[:：]([0-5]\d)(?:[:：]([0-5]\d))?\s?([AaPp]\.?[Mm]\.?)(?![A-Za-z])",
        _half_of_day,
    ),
    rule(r"(?<![\d:.])([01]?\d|2[0-4])[:：]([0-5]\d)(?:[:：]([0-5]\d))?(?![\d:])", _clock),
    rule(
        r"(?<![\d.])(\d{1,6}(?:\.\d{1,3})?)\s?[:：∶]\s?(?=\d)",
        lambda match: f"{number_zh(match[1])}比",
    ),
    rule(
        r"(?<!\d)(\d{2,3})/(\d{2,3})\s?mmHg",
        lambda match: f"{number_zh(match[1])}比{number_zh(match[2])}毫米汞柱",
    ),
    rule(r"(?<!\d)(\d{3,4})[pP]\b", lambda match: f"{digits_zh(match[1])}P"),
    rule(r"(?<!\d)([05-9][05])(?=后(?![天面来]))", lambda match: digits_zh(match[1])),
    # Telephone numbers, then whatever else is read digit by digit.
    rule(r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?![\d.])", _called),
    rule(r"(?<!\d)0\d{2,3}[- ]\d{7,8}(?!\d)|(?<!\d)[48]00[- ]?\d{3}[- ]?\d{4}(?!\d)", _called),
    rule(r"(?<![\d.])\d{3,20}(?![\d.])", _hotline),
    rule(
        r"(?<![\d.])\d{3,6}(?=\s?(?:号?房|号?病房|室|教室|会议室|路公|路车|路$|次列车|次航班|航班))",
        _called,
    ),
    rule(
        rf"(?P<sign>(?<!\w)-)?(?P<currency>{alternatives(CURRENCIES)})\s?(?P<price>{NUMBER})"
        rf"(?:{_TO}(?P<upto>{NUMBER}))?\s?(?P<scale>[千万亿]+)?(?:元|美元|欧元)?",
        _money,
    ),
    rule(
        rf"({NUMBER})\s?(USD|CNY|RMB|EUR|GBP|JPY)\b",
        lambda match: price_zh(match[1]) + CURRENCIES[match[2]],
    ),
    rule(rf"({NUMBER})(?=\s?[块元](?!素|旦))", lambda match: price_zh(match[1])),
    rule(r"(?<![\d.])(\d{1,6}(?:\.\d{1,6}){2,5})(?!\d)", _dotted),
    rule(
        rf"(?P<first>{NUMBER})\s?[%‰]?\s?[-~～–—到至]\s?(?P<last>{NUMBER})\s?(?P<sign>[%‰])",
        _percent,
    ),
    rule(rf"(?P<first>{SIGNED})\s?(?P<last>(?!))?(?P<sign>[%‰])", _percent),
    rule(
        rf"(?P<first>{SIGNED})(?:\s?(?:℃|°C|°)?{_TO}(?P<last>-?{NUMBER}))?"
        r"\s?(?P<scale>℃|°\s?C|℉|°F|(?P<degree>度)(?<=\d度)(?!数|假))",
        lambda match: _temperature(match) if match["degree"] is None or "-" in match[0] else match[0],
    ),
    rule(r"(?<=\d)\s-\s(?=\d)|(?<=[⁰¹²³⁴-⁹])-(?=\w)", "减"),
    rule(r"(?<=\d)-(?=\d{1,6}-)|(?<=-\d)-(?=\d)|(?<=-\d\d)-(?=\d)", "杠"),
    rule(
        rf"(?P<first>(?<![\w.杠]){NUMBER})\s?(?P<dash>[-~～–—])\s?(?P<last>{NUMBER})(?![\w杠])(?<!-)",
        _range,
    ),
    rule(rf"(?P<first>(?<![\w.杠]){NUMBER})(?P<dash>[-~～–—])(?P<last>{NUMBER})", _range),
    rule(
        r"(?<![\d/.])(?:(?P<whole>\d{1,6})\s)?(?P<over>\d{1,6})/(?P<under>\d{1,6})(?![\d/])",
        _fraction,
    ),
    rule(
        rf"(?P<number>(?<![\d.A-Za-z])-?{NUMBER})\s?(?P<unit>{alternatives(UNITS)})(?![A-Za-z²³/0-9])",
        _unit,
    ),
    rule(r"(?:\bN[oO]\.?\s?|№\s?|#)(?=\d)(\d{1,8})", lambda match: f"{whole_zh(match[1])}号"),
    rule(r"(?<![\d.])(\d{1,4})(?:st|nd|rd|th)\b", lambda match: f"第{whole_zh(match[1])}"),
    rule(r"(第\s?)(I{1,3}|I?[VX]|VI{1,3}|XI{1,2})(?![A-Za-z])", _roman),
    rule(
        r"(?<=\d)[eE]([+-]?\d{1,3})\b",
        lambda match: f"乘以十的{number_zh(match[1])}次方",
    ),
    rule(r"(?<=\d)[*xX](?=\d)", "乘"),
    rule(r"(?P<name>[A-Za-z]{1,20})-?(?P<digits>\d{1,15})(?![\d.])", _model),
    rule(r"(?<=[A-Za-z])-(?=\d)", " "),
    rule(r"([⁻⁺]?[⁰¹²³⁴-⁹]{1,4}|ⁿ)", _power),
    rule(r"\^(-?\d{1,4}|n)(?!\d)", _power),
    rule(
        rf"(?<![\d.百千万亿十])2(?=\s?(?:{'|'.join(MEASURES)}))",
        "两",
    ),
    rule(r"(?<=[\d十百千万亿零一二三四五六七八九)方])\s?[*xX]\s?(?=[\d(])", "乘"),
    rule(r"约?(?<!\w)[~～](?=\d)", "约"),
    rule(r"\+(?=\s?[\w(])|(?<=[\w+加])\+", "加"),
    rule(SIGNED, lambda match: number_zh(match[0], amount="," in match[0])),
    rule(r"\d", lambda match: digits_zh(match[0])),
    rule(alternatives(SIGNS), lambda match: SIGNS[match[0]]),
    rule(r"[~～^]", ""),
)
