"""Local date and time in words for an LLM, which has no clock."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from dispatcher.messages import Language
from dispatcher.tools.model import Tool

_WEEKDAYS_ZH: Final = "一二三四五六日"
_WEEKDAYS_EN: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS_EN: Final = (
    "January February March April May June July August September October November December"
).split()
_OFFSET: Final = re.compile(r"^([+-]\d\d)(\d\d)$")


def local_time(now: datetime, *, language: Language) -> str:
    """Return date, weekday, time of day and zone.

    Args:
        now: with its zone; the name of the zone is told where it has one.
        language: of the words; Chinese, or English for all others.
    """
    offset = _OFFSET.sub(r"UTC\1:\2", now.strftime("%z"))
    name = getattr(now.tzinfo, "key", "")
    zone = f"{name}, {offset}" if name else offset
    if language == "zh":
        weekday = f"星期{_WEEKDAYS_ZH[now.weekday()]}"
        return f"{now.year}年{now.month}月{now.day}日 {weekday} {now:%H:%M}（{zone}）"
    date = f"{_WEEKDAYS_EN[now.weekday()]}, {now.day} {_MONTHS_EN[now.month - 1]} {now.year}"
    return f"{date}, {now:%H:%M} ({zone})"


NOW_TOOL: Final = Tool(
    name="now",
    description=(
        "Return the current date, weekday and local time, at home or in another time zone. "
        "返回当前日期、星期和当地时间，也可查询其他时区。"
    ),
    parameters={
        "type": "object",
        "properties": {
            "timezone": {"type": "string", "description": "IANA name, such as Asia/Tokyo; left out: at home"}
        },
    },
)


def with_local_time(text: str, now: datetime, *, language: Language, place: str = "") -> str:
    """Return the user's text with the local time on a line behind it, for one request only.

    What stands before it is the same in the next request, so that a server's prompt cache holds, and no old
    time stays in the dialogue.
    """
    told = local_time(now, language=language)
    if language == "zh":
        return f"{text}\n[当前时间：{told}{f'；地点：{place}' if place else ''}]"
    return f"{text}\n[Current time: {told}{f'; place: {place}' if place else ''}]"
