"""Time, date and weekday."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from dispatcher.builtin.assistant.asked import Asked

_TIME: Final = re.compile(
    r"\b(?:what|current|tell me|know|have) (?:the )?time\b|\btime (?:is it|now)\b|^the time$|is the time"
)
_ELSEWHERE: Final = re.compile(r"\btime .*\bin (?!the\b)([a-z ]+)")
_WEEKDAY: Final = re.compile(
    r"\b(?:what|which) (?:day|weekday)\b(?!.*\bmonth)|\bday of the week\b|\bday is (?:it|today|tomorrow)"
)
_DATE: Final = re.compile(
    r"\b(?:what|which|tell me|todays|the) (?:is )?(?:the |todays )?(?:date|month|year)\b|\bdate (?:is|today)"
)
_TIME_ZH: Final = re.compile(r"几点|什么时间|什么时候了|现在的?时间|报时")
_WEEKDAY_ZH: Final = re.compile(r"(?:星期|礼拜|周)几")
_DATE_ZH: Final = re.compile(r"几号|几月|日期|哪一?年|什么日子|哪一?天")
_DAYS: Final = (
    ("day after tomorrow", 2), ("tomorrow", 1), ("day before yesterday", -2), ("yesterday", -1),
    ("大后天", 3), ("后天", 2), ("明天", 1), ("前天", -2), ("昨天", -1),
)  # fmt: skip
_WEEKDAYS_ZH: Final = "一二三四五六日"
_PARTS: Final = ((5, "at night"), (12, "in the morning"), (18, "in the afternoon"), (22, "in the evening"))
_PARTS_ZH: Final = ((5, "凌晨"), (9, "早上"), (12, "上午"), (13, "中午"), (18, "下午"))


def tell_time(asked: Asked) -> str | None:
    """Answer what time it is, here."""
    if asked.language == "zh":
        return f"🙂 现在是{clock_zh(asked.now)}。" if _TIME_ZH.search(asked.text) else None
    if not _TIME.search(asked.text):
        return None
    here = f"Here it is {clock(asked.now)}."
    elsewhere = _ELSEWHERE.search(asked.text)
    if elsewhere:
        return f"🤔 I only know the time of this house, not of {elsewhere[1].title()}. {here}"
    return f"🙂 It is {clock(asked.now)}."


def tell_day(asked: Asked) -> str | None:
    """Answer which day it is, of the week and of the month."""
    name, shift = next(((word, days) for word, days in _DAYS if word in asked.text), ("", 0))
    day = asked.now + timedelta(days=shift)
    if asked.language == "zh":
        return _day_zh(asked, name or "今天", day)
    if not (_WEEKDAY.search(asked.text) or _DATE.search(asked.text)):
        return None
    verb = "was" if shift < 0 else "is"
    return f"🙂 {name.capitalize() or 'Today'} {verb} {day:%A}, {day:%B} {day.day}, {day.year}."


def _day_zh(asked: Asked, name: str, day: datetime) -> str | None:
    weekday = f"星期{_WEEKDAYS_ZH[day.weekday()]}"
    date = f"{day.year}年{day.month}月{day.day}日"
    if _WEEKDAY_ZH.search(asked.text):
        return f"🙂 {name}是{weekday}，{date}。"
    return f"🙂 {name}是{date}，{weekday}。" if _DATE_ZH.search(asked.text) else None


def clock(time: datetime) -> str:
    """Return a time as it is said in English: `3:25 in the afternoon`."""
    part = next((words for hour, words in _PARTS if time.hour < hour), "at night")
    return f"{time.hour % 12 or 12}:{time:%M} {part}"


def clock_zh(time: datetime) -> str:
    """Return a time as it is said in Chinese: `下午3点25分`."""
    part = next((words for hour, words in _PARTS_ZH if time.hour < hour), "晚上")
    hour = time.hour - 12 if time.hour > 12 else time.hour
    minutes = f"{time.minute}分" if time.minute else "整"
    return f"{part}{hour}点{minutes}"
