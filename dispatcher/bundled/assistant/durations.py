"""Times counted from now; timers and alarms, which nothing here can ring."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from dispatcher.bundled.assistant.clock import clock, clock_zh
from dispatcher.bundled.assistant.numbers import short_number
from dispatcher.bundled.assistant.query import Query

_ALARM: Final = re.compile(
    r"\b(?:timers?|alarms?|countdown|count down|stopwatch|remind(?:er)?s?|wake me)\b|定时|计时"
    r"|倒计时|闹钟|提醒|叫醒?我"
)
_LENGTH: Final = (
    r"(?:(?:\d+(?:\.\d+)?|an?|half an?)[ -](?:second|minute"
    r"|hour)s?(?: and a half)?(?: (?:and )?\d+ minutes?)?)"
)
_ASKED: Final = (
    r"(?:(?:and|so|tell me|know) )*(?:(?:what is the time|what time|what|when|time) )?"
    r"(?:(?:is|was|will|it|be|would) )*"
)
_FROM_NOW: Final = re.compile(
    rf"in {_LENGTH} what time (?:will it be|is it)|{_ASKED}(?:in (?P<in>{_LENGTH})"
    rf"|(?P<from>{_LENGTH}) (?:from now|later)"
    rf"|(?P<ago>{_LENGTH}) ago)(?: from now)?"
)
_IS_QUESTION: Final = re.compile(r"\b(?:what|when|time)\b")
_LENGTH_ZH: Final = r"(?:(?:\d+(?:\.\d+)?个?半?|半个?)(?:小时|钟头|分钟|分|秒钟|秒|刻钟)半?)+"
_FROM_NOW_ZH: Final = re.compile(
    rf"(?:现在|从现在起|从现在开始)?(?:再?过|再)?(?P<length>{_LENGTH_ZH})(?P<way>[之以]?后|[之以]?前)?的?(?:时间)?(?:是|会是|到)?几点钟?[了呢啊]?"
)
_PARTS: Final = re.compile(r"(\d+(?:\.\d+)?|half an?|an?)[ -](second|minute|hour)s?( and a half)?")
_PARTS_ZH: Final = re.compile(r"(?:(\d+(?:\.\d+)?)个?(半)?|(半)个?)(小时|钟头|分钟|分|秒钟|秒|刻钟)(半)?")
_SECONDS: Final = {
    "second": 1, "minute": 60, "hour": 3600,
    "小时": 3600, "钟头": 3600, "刻钟": 900, "分钟": 60, "分": 60, "秒钟": 1, "秒": 1,
}  # fmt: skip
_WORDS: Final = {"a": 1.0, "an": 1.0, "half a": 0.5, "half an": 0.5}
_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=7)


def count_time(query: Query) -> str | None:
    """Answer what time it is some hours or minutes before or after now."""
    if _ALARM.search(query.text) or (query.language == "en" and not _IS_QUESTION.search(query.text)):
        return None
    found = (_FROM_NOW_ZH if query.language == "zh" else _FROM_NOW).fullmatch(query.figures)
    length = _length(found[0]) if found else _LONGEST
    if found is None or length > _LONGEST:
        return None
    is_past = "前" in (found["way"] or "") if query.language == "zh" else bool(found["ago"])
    then = query.now + (-length if is_past else length)
    words, words_zh = _spoken(length), _spoken_zh(length)
    english = f"{words} ago it was" if is_past else f"{words} from now it will be"
    return query.say(
        f"🙂 {english} {clock(then)}.", f"🙂 {words_zh}以{'前' if is_past else '后'}是{clock_zh(then)}。"
    )


def refuse_alarm(query: Query) -> str | None:
    """Answer that nothing here rings, and when a timer of a known length would end."""
    if not _ALARM.search(query.text):
        return None
    length = _length(query.figures)
    if not _SHORTEST <= length <= _LONGEST:
        return query.say("😔 I cannot ring or remind you of anything.", "😔 我不会响铃，没办法提醒你。")
    ends, ends_zh = clock(query.now + length), clock_zh(query.now + length)
    return query.say(
        f"😔 I cannot ring, but {_spoken(length)} from now it will be {ends}.",
        f"😔 我不会响铃，{_spoken_zh(length)}以后是{ends_zh}。",
    )


def _length(text: str) -> timedelta:
    seconds = 0.0
    for count, unit, and_a_half in _PARTS.findall(text):
        seconds += ((_WORDS.get(count) or float(count)) + (0.5 if and_a_half else 0)) * _SECONDS[unit]
    for count, and_a_half, half, unit, half_after in _PARTS_ZH.findall(text):
        seconds += (float(count or 0) + (0.5 if and_a_half or half or half_after else 0)) * _SECONDS[unit]
    return timedelta(seconds=min(seconds, 1e9))


def _spoken(length: timedelta) -> str:
    unit = next((unit for unit in ("hour", "minute") if length.total_seconds() >= _SECONDS[unit]), "second")
    count = short_number(length.total_seconds() / _SECONDS[unit], 3)
    return f"{count} {unit}{'' if count == '1' else 's'}"


def _spoken_zh(length: timedelta) -> str:
    unit = next((unit for unit in ("小时", "分钟") if length.total_seconds() >= _SECONDS[unit]), "秒")
    count = short_number(length.total_seconds() / _SECONDS[unit], 3)
    return f"{count}{'个' if unit == '小时' else ''}{unit}"
