"""Times counted from now or from another time; timers and alarms, which nothing here can ring."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
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
_CLOCK: Final = (
    r"(?:(?:half past \d{1,2}|(?:a )?(?:quarter|\d{1,2})(?: minutes?)? (?:past|to|after|before) \d{1,2}"
    r"|\d{1,2}(?:[: .]\d\d)?)"
    r"(?: ?oclock)?(?: ?[ap]m| in the (?:morning|afternoon|evening)| at night)?|noon|midnight)"
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
_FROM_CLOCK: Final = re.compile(
    rf"{_ASKED}(?:(?P<length>{_LENGTH}) (?P<way>after|past|from|before) (?P<clock>{_CLOCK})"
    rf"|(?P<clock2>{_CLOCK}) (?P<way2>plus|minus) (?P<length2>{_LENGTH}))"
)
_LENGTH_ZH: Final = r"(?:(?:\d+(?:\.\d+)?个?半?|半个?)(?:小时|钟头|分钟|分|秒钟|秒|刻钟)半?)+"
_CLOCK_ZH: Final = r"(?:凌晨|早上|上午|中午|下午|傍晚|晚上)?\d{1,2}(?:点钟?|[:：])(?:半|\d刻|\d{1,2}分?)?"
_FROM_NOW_ZH: Final = re.compile(
    rf"(?:现在|从现在起|从现在开始)?(?:再?过|再)?(?P<length>{_LENGTH_ZH})(?P<way>[之以]?后|[之以]?前)?的?(?:时间)?(?:是|会是|到)?几点钟?[了呢啊]?"
)
_FROM_CLOCK_ZH: Final = re.compile(
    rf"(?P<clock>{_CLOCK_ZH})的?(?P<way>再?过|[之以]?后|[之以]?前|再?加|减|往后|往前)?(?P<length>{_LENGTH_ZH})"
    rf"(?P<way2>[之以]?后|[之以]?前)?(?:是|到|等于)?(?:几点钟?|多少)?[了呢啊]?"
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
_HALF_DAY_H: Final = 12
_DAY_H: Final = 24
_HOUR_MINUTES: Final = 60


def count_time(query: Query) -> str | None:
    """Answer what time it is some hours or minutes before or after now, or another time."""
    if _ALARM.search(query.text):
        return None
    found = (_FROM_CLOCK_ZH if query.language == "zh" else _FROM_CLOCK).fullmatch(query.figures)
    if found:
        return _from_clock(query, found)
    if query.language == "en" and not _IS_QUESTION.search(query.text):
        return None
    found = (_FROM_NOW_ZH if query.language == "zh" else _FROM_NOW).fullmatch(query.figures)
    if found is None:
        return None
    back = "前" in (found["way"] or "") if query.language == "zh" else bool(found["ago"])
    length = _length(found[0])
    return None if length > _LONGEST else _time_after(query, -length if back else length)


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


def _time_after(query: Query, shift: timedelta) -> str:
    then, length = query.now + shift, abs(shift)
    if shift < timedelta():
        return query.say(
            f"🙂 {_spoken(length)} ago it was {clock(then)}.",
            f"🙂 {_spoken_zh(length)}以前是{clock_zh(then)}。",
        )
    return query.say(
        f"🙂 {_spoken(length)} from now it will be {clock(then)}.",
        f"🙂 {_spoken_zh(length)}以后是{clock_zh(then)}。",
    )


def _from_clock(query: Query, found: re.Match[str]) -> str | None:
    """Answer what a time of day becomes; morning or afternoon is named only where the question names it."""
    parts = found.groupdict()
    time = _clock_of(parts["clock"] or parts.get("clock2") or "")
    way = f"{parts['way'] or ''}{parts.get('way2') or ''}"
    if time is None or not way:
        return None
    hour, minute, has_half = time
    length = _length(parts["length"] or parts.get("length2") or "")
    if any(word in way for word in ("before", "minus", "前", "减")):
        length = -length
    then = query.now.replace(hour=hour, minute=minute) + length
    if query.language == "zh":
        said = clock_zh(then) if has_half else re.sub(r"^\D+", "", clock_zh(_twelve(then)))
    else:
        said = clock(then) if has_half else f"{then.hour % 12 or 12}:{then:%M}"
    return query.say(f"🙂 That is {said}.", f"🙂 是{said}。")


def _twelve(time: datetime) -> datetime:
    return time.replace(hour=time.hour % _HALF_DAY_H or _HALF_DAY_H)


def _clock_of(text: str) -> tuple[int, int, bool] | None:
    """Return hour, minute and whether the half of the day is known; None for no time of day."""
    if text in ("noon", "midnight"):
        return (12 if text == "noon" else 0), 0, True
    numbers = [int(each) for each in re.findall(r"\d+", text)]
    if "半" in text or "half" in text:
        hour, minute = numbers[0], 30
    elif "刻" in text:
        hour, minute = numbers[0], numbers[1] * 15
    elif match := re.search(r"(quarter|\d+)(?: minutes?)? (past|to|after|before) (\d+)", text):
        minute = 15 if match[1] == "quarter" else int(match[1])
        hour = int(match[3])
        if match[2] in ("to", "before"):
            hour, minute = (hour - 1) % _DAY_H, _HOUR_MINUTES - minute
    else:
        hour, minute = numbers[0], numbers[1] if len(numbers) > 1 else 0
    if hour >= _DAY_H or not 0 <= minute < _HOUR_MINUTES:
        return None
    return _in_half_of_day(text, hour, minute)


def _in_half_of_day(text: str, hour: int, minute: int) -> tuple[int, int, bool]:
    late = re.search(r"\dpm|\bpm\b|afternoon|evening|at night|中午|下午|傍晚|晚上", text)
    early = re.search(r"\dam|\bam\b|morning|凌晨|早上|上午", text)
    if late and hour < _HALF_DAY_H and not ("中午" in text and hour == _HALF_DAY_H - 1):
        hour += _HALF_DAY_H
    elif early and hour == _HALF_DAY_H:
        hour = 0
    return hour, minute, bool(late or early) or hour > _HALF_DAY_H or hour == 0


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
