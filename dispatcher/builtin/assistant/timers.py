"""Timers: when they would end. Nothing here can ring, and the answer says so."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from dispatcher.builtin.assistant.asked import Asked
from dispatcher.builtin.assistant.clock import clock, clock_zh
from dispatcher.builtin.assistant.numbers import short_number

_WANTED: Final = re.compile(
    r"\b(?:timer|alarm|countdown|count down|remind(?:er)?|wake me)\b|\bfrom now\b"
    r"|\btime (?:will it be|is it) in (?:\d|an? |half )"
)
_WANTED_ZH: Final = re.compile(r"定时|计时|闹钟|提醒|叫醒?我|(?:小时|钟头|分钟?|秒钟?)[之以]?后")
_LENGTH: Final = re.compile(r"\b(\d+(?:\.\d+)?|an?|half an?)[ -](second|minute|hour)s?\b( and a half)?")
_LENGTH_ZH: Final = re.compile(r"(?:(\d+(?:\.\d+)?)个?(半)?|(半)个?)(小时|钟头|分钟|分|秒钟|秒)")
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
_SECONDS_ZH: Final = {"小时": 3600, "钟头": 3600, "分钟": 60, "分": 60, "秒钟": 1, "秒": 1}
_WORDS: Final = {"a": 1.0, "an": 1.0, "half a": 0.5, "half an": 0.5}
_LONGEST: Final = timedelta(days=7)


def set_timer(asked: Asked) -> str | None:
    """Answer when a timer would end."""
    if asked.language == "zh":
        return _set_timer_zh(asked) if _WANTED_ZH.search(asked.figures) else None
    if not _WANTED.search(asked.figures):
        return None
    length = _length(asked.figures)
    if not length:
        return "🤔 For how long? Say something like: set a timer for five minutes."
    if length > _LONGEST:
        return "😲 That is too long for me. A calendar is better at it."
    return (
        f"😉 All right. {_spoken(length)} from now it will be {clock(asked.now + length)}. "
        "I can work that out, but I cannot ring, so keep an eye on the clock."
    )


def _set_timer_zh(asked: Asked) -> str:
    length = _length_zh(asked.figures)
    if not length:
        return "🤔 要多久呢？可以说：五分钟以后提醒我。"
    if length > _LONGEST:
        return "😲 这么久我可记不住，还是写在日历上吧。"
    ends = clock_zh(asked.now + length)
    return f"😉 好的。{_spoken_zh(length)}以后是{ends}。我会算时间，但是不会响铃，请你留意时钟。"


def _length(text: str) -> timedelta:
    seconds = 0.0
    for count, unit, and_a_half in _LENGTH.findall(text):
        seconds += ((_WORDS.get(count) or float(count)) + (0.5 if and_a_half else 0)) * _SECONDS[unit]
    return timedelta(seconds=min(seconds, 1e9))


def _length_zh(text: str) -> timedelta:
    seconds = 0.0
    for count, and_a_half, half, unit in _LENGTH_ZH.findall(text):
        seconds += (float(count or 0) + (0.5 if and_a_half or half else 0)) * _SECONDS_ZH[unit]
    return timedelta(seconds=min(seconds, 1e9))


def _spoken(length: timedelta) -> str:
    unit = next((unit for unit in ("hour", "minute") if length.total_seconds() >= _SECONDS[unit]), "second")
    count = short_number(length.total_seconds() / _SECONDS[unit])
    return f"{count} {unit}{'' if count == '1' else 's'}"


def _spoken_zh(length: timedelta) -> str:
    unit = next((unit for unit in ("小时", "分钟") if length.total_seconds() >= _SECONDS_ZH[unit]), "秒")
    count = short_number(length.total_seconds() / _SECONDS_ZH[unit])
    return f"{count}{'个' if unit == '小时' else ''}{unit}"
