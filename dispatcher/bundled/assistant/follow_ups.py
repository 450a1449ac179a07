"""Follow-ups, such as "and ten miles?", resolved to the whole questions that they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dispatcher.bundled.assistant.arithmetic import work_out
from dispatcher.bundled.assistant.clock import tell_day, tell_time
from dispatcher.bundled.assistant.durations import count_time, refuse_alarm
from dispatcher.bundled.assistant.numbers import NUMBER
from dispatcher.bundled.assistant.query import Query, language_of
from dispatcher.bundled.assistant.small_talk import decline, tell
from dispatcher.bundled.assistant.small_tasks import pick_number
from dispatcher.bundled.assistant.units import as_question, parse_conversion, unit_of

_MARK: Final = re.compile(
    r"^\W*(?:and|or|but|then|now|what about|how about|in|to|plus|minus|times|divided by)\b"
    r"|^[那再]|^(?:加|减|乘|除以|换)|呢\W*$",
    re.IGNORECASE,
)
_FILLERS: Final = re.compile(
    r"^(?:(?:and|or|but|then|now|(?:what|how) about|what is(?= (?:it|that) in)|(?:it|that)(?= in)) )+"
    r"|(?: then| please)+$"
    r"|^(?:那么?|还有|要是|如果是?)+|(?:呢|的话|怎么样|是多少|等于多少|等于几|啊)+$"
)
_AGAIN: Final = re.compile(
    r"(?:(?:tell|give) me |say )?(?:another(?: one)?|one more|(?:the )?next(?: one)?)(?: joke"
    r"| story)?(?: then)?"
    r"|(?:do |roll |flip |throw )?(?:it )?(?:again|once more)"
    r"|(?:do you have |are there |have you got )?(?:any )?more(?: of them)?"
    r"|(?:那|请)?(?:再|换|还要)(?:给我)?(?:讲|来|说|掷|扔|抛|投)?(?:[一1]?[个次遍则段下]|别的)[吧呗呀啊]?"
    r"|还有(?:别的|其他的|更多)?吗?"
)
_NUMBER: Final = re.compile(NUMBER)
_DEGREES: Final = re.compile(r" ?(?:degrees?|度)$")
_QUANTITY: Final = re.compile(rf"({NUMBER}|an?) ?个?(\D+)")
_TO_UNIT: Final = re.compile(
    r"(?:in|to|into|as|用|换成|换算成|转成|是|有|等于|多少|几)+(?: )?(?:多少|几)?(.+)"
)
_PLACE: Final = re.compile(r"(?:in |on )?(\D{2,30})")
_OPERATION: Final = re.compile(
    r"(?:plus|minus|times|divided by|multiplied by|less) \d.*|squared|再?(?:加上?|减去?|乘以?"
    r"|除以)\d.*|的?平方"
)
_RESULT: Final = re.compile(rf"(?:is |等于)({NUMBER})[.。]$")
_LENGTH: Final = re.compile(r"\d+(?:\.\d+)?个?半? ?(?:seconds?|minutes?|hours?|小时|钟头|分钟|秒)")
_DAY: Final = re.compile(
    r"(?:the )?(?:day (?:after|before) )?(?:tomorrow|yesterday|today)|大?后天|明天|前天|昨天|今天"
)
_ELSEWHERE: Final = re.compile(r"(?:in|on|this|next) \w+(?: \w+)?|[^什谁哪为怎]{2,4}")
# How many questions may lie between, such as a thank-you.
_MOST_BETWEEN: Final = 3
_MOST_EARLIER: Final = 12


def stand_alone(query: Query) -> Query | None:
    """Return the question that a follow-up stands for, None for any other text."""
    if not _is_follow_up(query):
        return None
    earlier = query.earlier[-_MOST_EARLIER:]
    before: list[Query] = []
    for place, said in enumerate(earlier):
        language = language_of(said, earlier[:place], query.language)
        each = replace(query, said=said, earlier=earlier[:place], language=language)
        before.append(_resolved(each, before) or each)
    return _resolved(query, before)


def _is_follow_up(query: Query) -> bool:
    return bool(_AGAIN.fullmatch(query.text) or _MARK.search(query.said.strip()))


def _resolved(query: Query, before: Sequence[Query]) -> Query | None:
    """Return a follow-up as a whole question, from the newest of the questions before it that fits."""
    if not _is_follow_up(query):
        return None
    is_again = _AGAIN.fullmatch(query.text) is not None
    rest = _FILLERS.sub("", query.figures).strip()
    for each in reversed(before[-_MOST_BETWEEN:]):
        question = _repeated(each) if is_again else _changed(each, rest)
        if question:
            return replace(query, said=question, language=each.language)
    return None


def _repeated(before: Query) -> str | None:
    return before.said if tell(before) or pick_number(before) else None


def _changed(before: Query, rest: str) -> str | None:
    """Return the earlier question with one thing in it changed."""
    if not rest:
        return None
    ways = (_conversion, _duration, _sum, _day, _place, _unknown)
    return next((question for way in ways if (question := way(before, rest))), None)


def _conversion(before: Query, rest: str) -> str | None:
    asked = parse_conversion(before.figures, before.language)
    if asked is None:
        return None
    number, quantity, to = (
        _NUMBER.fullmatch(_DEGREES.sub("", rest)),
        _QUANTITY.fullmatch(rest),
        _TO_UNIT.fullmatch(rest),
    )
    if number:
        asked = replace(asked, amounts=((float(number[0]), asked.amounts[0][1]),))
    elif quantity and (unit := unit_of(quantity[2])):
        count = 1.0 if quantity[1].startswith("a") else float(quantity[1])
        asked = replace(asked, amounts=((count, unit),))
    elif unit := unit_of(to[1] if to else rest):
        asked = replace(asked, to=unit)
    else:
        return None
    return as_question(asked, before.language)


def _duration(before: Query, rest: str) -> str | None:
    length = _LENGTH.match(rest.removeprefix("in ").removeprefix("for "))
    if length is None or not (count_time(before) or refuse_alarm(before)):
        return None
    return _LENGTH.sub(length[0], before.figures, count=1)


def _sum(before: Query, rest: str) -> str | None:
    answered = work_out(before)
    if answered is None:
        return None
    if _OPERATION.fullmatch(rest):
        result = _RESULT.search(answered)
        return f"{result[1]} {rest.removeprefix('再')}".replace(" ", before.say(" ", "")) if result else None
    another = replace(before, said=before.say(f"what is {rest}", rest))
    if work_out(another):
        return another.said
    percent = re.fullmatch(r"(\d+(?:\.\d+)?) ?(?:percent|%)|百分之(\d+)", rest)
    if percent:
        share = re.compile(r"\d+(?:\.\d+)?(?= ?(?:percent|%))|(?<=百分之)\d+")
        return share.sub(percent[1] or percent[2], before.figures) if share.search(before.figures) else None
    number = _NUMBER.fullmatch(rest.removeprefix("of "))
    places = list(_NUMBER.finditer(before.figures))
    if number is None or not places:
        return None
    return before.figures[: places[-1].start()] + number[0] + before.figures[places[-1].end() :]


def _day(before: Query, rest: str) -> str | None:
    if not _DAY.fullmatch(rest) or tell_day(before) is None:
        return None
    return before.say(f"what day is {rest}", f"{rest}是几号" if "号" in before.said else f"{rest}星期几")


def _place(before: Query, rest: str) -> str | None:
    place = _PLACE.fullmatch(rest)
    if place is None or _DAY.fullmatch(rest) or tell_time(before) is None:
        return None
    return before.say(f"what time is it in {place[1]}", f"{place[1].removeprefix('在')}现在几点")


def _unknown(before: Query, rest: str) -> str | None:
    """Repeat the question after the weather where only the day or place is another."""
    is_other = _DAY.fullmatch(rest) or _ELSEWHERE.fullmatch(rest)
    return before.said if is_other and decline(before) else None
