"""Time of day, here and in other cities, and dates."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dispatcher.bundled.assistant.places import has_many_zones, spoken_place, zone_of
from dispatcher.bundled.assistant.query import Query

# The whole question has to be about the time: "what time does the shop close" is not.
_NOW: Final = r"(?: (?:now|right now|today|currently|at the moment|here|over there|exactly))*"
_TIME: Final = re.compile(
    r"(?:tell me |give me |say |and |know )*"
    r"(?:what (?:time|hour) (?:is it|it is|do you have|have you got)|(?:what is "
    r"|what )?(?:the )?(?:current |local |exact )*time"
    rf"(?: is(?: it)?)?|how late is it|(?:do you have"
    rf"|have you got|got) the time){_NOW}(?: in (?P<place>[^\d]+?))?{_NOW}"
    rf"|(?:what is )?(?P<named>[a-z ]+?) time{_NOW}"
)
_HERE: Final = re.compile(
    r"here|home|(?:my|this|our|the) (?:house|home|city|town|place|zone|time ?zone|country|room"
    r"|office|kitchen|morning)"
)
_WEEKDAY: Final = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_WHEN: Final = (
    r"(?:(?:the )?day after tomorrow|tomorrow|(?:the )?day before yesterday|yesterday|today"
    r"|in (?:\d{1,4}|a) (?:day|week)s?|(?:\d{1,4}|a) (?:day|week)s? (?:from (?:now|today)|ago))"
)
_DATE: Final = re.compile(
    r"(?:tell me |and |say )*(?:(?:(?:what|which) )?(?:is |was |will )?(?:the )?"
    r"(?:(?:today|tomorrow|yesterday)s )?(?:current )?"
    r"(?:day|weekday|date|month|year)(?: of the (?:week|month))?"
    rf"(?: (?:is|was|will|it|be|this|on|for|do we have))*(?: {_WHEN})?"
    rf"|what (?:is|was) {_WHEN}|is (?:it|today|tomorrow) {_WEEKDAY}(?: today| tomorrow)?){_NOW}"
)
_NOT_A_DATE: Final = re.compile(r"(?:and |is |was |the )*(?:day|weekday|month|year)\b.*")
_TIME_ZH: Final = re.compile(
    r"(?:现在|当前|目前|今天)*的?是?(?P<place>.{0,10}?)(?P<there>那边|那里|那儿|当地)?的?(?P<now>现在|当前|目前)*的?(?:是|到)?"
    r"(?:几点钟?(?:几分)?|什么时间|什么时候了|时间是?(?:多少|几点|什么)?)(?:了|啦|呢|啊|呀|吗)*|报一?[下个]?时间?"
)
_HERE_ZH: Final = re.compile(r"我?们?这里|我?们?这边|家里|本地|当地")
_DATE_ZH: Final = re.compile(
    r"(?:大后天|后天|明天|前天|昨天|今天|今日|今年|这个月|本月|现在|\d{1,4}(?:天|周|个?星期|个?礼拜)[之以]?[前后])?"
    r"的?(?:公历)?(?:又?是)?"
    r"(?P<what>(?:(?:星期|礼拜|周)(?:几|[\d日天](?=吗))|[几多]少?[号月日]|日期|哪[一1]?[年天月]|几几年|什么日子|什么日期|和|是|的)+)"
    r"(?:了|啦|呢|啊|呀|吗|多少)*"
)
_AND: Final = re.compile(r" and |[和跟与]")
_DAYS: Final = {
    "day after tomorrow": 2, "tomorrow": 1, "day before yesterday": -2, "yesterday": -1,
    "大后天": 3, "后天": 2, "明天": 1, "前天": -2, "昨天": -1,
}  # fmt: skip
_MOST_DAYS: Final = 3660
_SHIFT: Final = re.compile(
    r"(\d{1,4}|\ba)个?(?:(?:天|(周|星期|礼拜))[之以]?(后|前)| (?:day|(week))s?(?: (ago))?)"
)
_LUNAR: Final = re.compile(
    r"农历|阴历|黄历|\blunar (?:date|day|month|calendar|new year)\b|\bchinese calendar\b"
)
_ZONE: Final = re.compile(
    r"(?:what|which) (?:is (?:my|the|your) )?time ?zone.*|(?:我|这里|你)?.{0,3}(?:什么|哪个)时区"
)
_ASKS_PLACE: Final = re.compile(
    r"(?:and )?(?:where (?:am i|are (?:we|you))|(?:what|which) (?:city|place) (?:is this"
    r"|are we in|am i in))(?: now)?"
    r"|(?:我们?|你|这里?)(?:现在)?[是在](?:什么地方|哪里?|哪儿|哪个城市)"
)
_WEEKDAYS_ZH: Final = "一二三四五六日"
_PARTS: Final = ((1, "at night"), (12, "in the morning"), (18, "in the afternoon"), (22, "in the evening"))
_PARTS_ZH: Final = ((5, "凌晨"), (9, "早上"), (12, "上午"), (13, "中午"), (18, "下午"))


def tell_place(query: Query) -> str | None:
    """Answer where the device is, as far as the operator has configured it."""
    if not _ASKS_PLACE.fullmatch(query.text):
        return None
    if not query.place:
        return query.say("🤔 Nobody has told me where I am.", "🤔 没有人告诉过我这是哪里。")
    return query.say(f"🙂 We are in {query.place}.", f"🙂 我们在{query.place}。")


def tell_time(query: Query) -> str | None:
    """Answer what time it is, here or elsewhere."""
    if _ZONE.fullmatch(query.text):
        name = getattr(query.now.tzinfo, "key", "") or f"{query.now:UTC%z}"
        return query.say(f"🙂 The time zone here is {name}.", f"🙂 这里的时区是{name}。")
    match = (_TIME_ZH if query.language == "zh" else _TIME).fullmatch(query.text)
    if match is None:
        return None
    found = match.groupdict()
    place = (found["place"] or found.get("named") or "").strip().removesuffix("时间")
    if (
        not place
        or (_HERE_ZH if query.language == "zh" else _HERE).fullmatch(place)
        or _is_home(query, place)
    ):
        return query.say(f"🙂 It is {clock(query.now)}.", f"🙂 现在是{clock_zh(query.now)}。")
    # "bed time" and "我没有时间" name no place, unless it is a known one.
    asks = found.get("named") is None if query.language == "en" else found["there"] or "现在" in query.text
    if query.language == "zh" and re.search("[，,]", query.said):
        asks = False
    return time_in(query, place) if asks or has_many_zones(place) or zone_of(place) else None


def _is_home(query: Query, place: str) -> bool:
    return place.casefold() in (query.place.casefold(), query.place.partition(",")[0].casefold())


def time_in(query: Query, place: str) -> str | None:
    """Return what time it is in a city, or in several, or that this is not known."""
    if any(day in place for day in _DAYS):
        return None
    parts = [part.strip() for part in _AND.split(place)]
    found = [(part, zone) for part in parts if (zone := zone_of(part))]
    if len(found) == len(parts):
        told = [_time_at(query, *each) for each in found]
        return query.say(f"🙂 It is {' and '.join(told)}.", f"🙂 {'，'.join(told)}。")
    name = _name_of(query, place)
    if has_many_zones(place):
        return query.say(
            f"🤔 {name[0].upper() + name[1:]} has several time zones. Please name a city.",
            f"🤔 {name}有好几个时区，请说一个城市。",
        )
    return query.say(
        f"🤔 I do not know what time it is in {name}. Here it is {clock(query.now)}.",
        f"🤔 我不知道{name}的时间，这里是{clock_zh(query.now)}。",
    )


def _time_at(query: Query, place: str, zone: ZoneInfo) -> str:
    there = query.now.astimezone(zone)
    is_other_day = there.date() != query.now.date()
    weekday = f"星期{_WEEKDAYS_ZH[there.weekday()]}" if is_other_day else ""
    name = _name_of(query, place)
    return query.say(
        f"{clock(there)}{f' on {there:%A}' if is_other_day else ''} in {name}",
        f"{name}现在是{weekday}{clock_zh(there)}",
    )


def _name_of(query: Query, place: str) -> str:
    return place if query.language == "zh" and not place.isascii() else spoken_place(place)


def tell_day(query: Query) -> str | None:
    """Answer which day it is, of the week and of the month."""
    if _LUNAR.search(query.text):
        return query.say(
            f"🤔 I do not know the lunar calendar. By the solar one today is {date(query.now)}.",
            f"🤔 我不会算农历，只知道今天是公历{date_zh(query.now)}。",
        )
    match = (_DATE_ZH if query.language == "zh" else _DATE).fullmatch(query.figures)
    if match is None or _NOT_A_DATE.fullmatch(query.text):
        return None
    name, shift = _shift_of(query.figures)
    if abs(shift) > _MOST_DAYS:
        return None
    day = query.now + timedelta(days=shift)
    if query.language == "zh":
        weekday = f"星期{_WEEKDAYS_ZH[day.weekday()]}"
        by_week = re.search("星期|礼拜|周", match["what"])
        first, second = (weekday, date_zh(day)) if by_week else (date_zh(day), weekday)
        return f"🙂 {name or '今天'}是{first}，{second}。"
    verb = "it is" if name.startswith("in ") else "was" if shift < 0 else "is"
    return f"🙂 {name[:1].upper() + name[1:] or 'Today'} {verb} {date(day)}."


def _shift_of(figures: str) -> tuple[str, int]:
    """Return which day is spoken of, and how many days it is from today."""
    for name, days in _DAYS.items():
        if name in figures:
            return f"the {name}" if name.startswith("day ") else name, days
    match = _SHIFT.search(figures)
    if match is None:
        return "", 0
    number, week_zh, way_zh, week, ago = match.groups()
    is_past = way_zh == "前" or bool(ago)
    days = (1 if number == "a" else int(number)) * (7 if week_zh or week else 1)
    return match[0] if way_zh or ago else f"in {match[0]}", -days if is_past else days


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


def date(day: datetime) -> str:
    """Return a date in English, with its weekday."""
    return f"{day:%A}, {day:%B} {day.day}, {day.year}"


def date_zh(day: datetime) -> str:
    """Return a date in Chinese."""
    return f"{day.year}年{day.month}月{day.day}日"
