"""Parsed query: the last words of the user, normalized for matching, and the dialogue before them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from functools import cached_property
from random import Random
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from dispatcher.bundled.assistant.numbers import with_digits
from dispatcher.bundled.engines import Call, Language, Message, SpokenLanguage, Tool
from dispatcher.speech_text.cjk import has_han

# Of a text; no question for rules is longer, and patterns cost more than its length.
_MOST_CHARACTERS: Final = 400
_LATIN: Final = re.compile(r"[A-Za-z]")
# A point, colon, slash or comma inside a number says something; elsewhere marks say nothing.
_MARKS: Final = re.compile(r"[.,:](?!\d)|(?<!\d)[.,:](?=\d)|[?!;\"“”…~。，！？；：、（）《》「」]")
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_CONTRACTIONS: Final = (
    (re.compile(r"\b(what|who|where|how|when|that|it|there)'?s\b"), r"\1 is"),
    (re.compile(r"\b(you|we|they)'re\b"), r"\1 are"),
    (re.compile(r"\bi'?m\b"), "i am"),
    (re.compile(r"\b([ap])\.\s?m\b\.?"), r"\1m"),
    (re.compile(r"'"), ""),
)
_POLITE: Final = re.compile(
    r"\b(?:please|hey|um|uh|(?<!as )well|(?:can|could|would|will) you(?: please)?(?! (?:do|ring|hear|sing)\b)"
    r"|i(?: woul)?d like you to|(?:xiao ?zhi|shall we)(?= \w))\b"
)
# What stands before a question and changes nothing in it.
_OPENING: Final = re.compile(
    r"^(?:(?:hi|hello|ok|okay|so|oh|and|sorry|excuse me|good (?:morning|afternoon|evening|day)"
    r"|do you know(?! my\b)|i want to know)(?: there)? )+(?=\S)(?!is\b|are\b)"
)
_POLITE_ZH: Final = re.compile(
    r"^(?:请问一下|请问|麻烦你?|请你?|小智(?=.)|嗯(?=.)|那个|帮我|给我|你?(?:能不能|可以)(?![做干说])"
    r"|(?:你好|您好|嗨|早上好|晚上好)(?=小智.|.{3})(?:小智)?|你知道(?=.{3})|我想知道|你?(?:能|可以)?告诉我|(?:看|查)(?:看|查|一下))+"
)
_CALLED: Final = re.compile(r"(?<=\w\w\w) xiao ?zhi$")
_CALLED_ZH: Final = re.compile(r"(?<=...)小智$")
# Recognizers sometimes write traditional characters; these are the ones that the rules look for.
_SIMPLIFIED: Final = str.maketrans(
    "時間幾點現講個麼嗎這們樂對話設鐘後華攝換裡歲誰兩萬億減號週禮詩謝過說問會愛識別聽見鬧醒兒誕請氣買億"
    "東紐約倫國韓羅馬灣爾漢廣農曆陰還來聞顏種義開關閉燈總結轉數從當訴樣嘗",
    "时间几点现讲个么吗这们乐对话设钟后华摄换里岁谁两万亿减号周礼诗谢过说问会爱识别听见闹醒儿诞请气买亿"
    "东纽约伦国韩罗马湾尔汉广农历阴还来闻颜种义开关闭灯总结转数从当诉样尝",
)
# The line that the dispatcher adds to the newest message, in the words of dialogue/local_time.py.
_LOCAL_TIME: Final = re.compile(r"(?:^|\n)\[(?:Current time|当前时间)[:：]([^\n]*)\]\s*$")
_ZONE: Final = re.compile(r"[(（](?:([\w/+-]+), ?)?UTC([+-])(\d\d):(\d\d)[)）]")
_STATED: Final = re.compile(
    r"(?:(\d{4})年(\d+)月(\d+)日 |, (\d+) ([A-Z][a-z]+) (\d{4}), )\D*(\d\d):(\d\d) ?[(（]"
)
_MONTHS: Final = (
    "January February March April May June July August September October November December"
).split()
_PLACE: Final = re.compile(r"[;；] ?(?:place|地点)[:：] ?(.+)$")


@dataclass(frozen=True)
class Query:
    """One question and its circumstances.

    Attributes:
        said: the words as they came.
        language: the language to answer in.
        now: the time at the device, with its zone.
        place: where the device is; empty when unknown.
        earlier: what the user said before, oldest first.
        replies: what was answered before, oldest first.
        tools: what may be called.
        done: what was called for this question, with what came of each.
        prompt: the system prompt.
        random: source of coins and dice.
    """

    said: str
    language: SpokenLanguage
    now: datetime
    place: str = ""
    earlier: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    done: tuple[tuple[Call, str], ...] = ()
    prompt: str = ""
    random: Random = field(default_factory=Random, compare=False)

    @cached_property
    def text(self) -> str:
        """The words without case, marks and politeness: what patterns are matched with."""
        return plain_chinese(self.said) if self.language == "zh" else plain_english(self.said)

    @cached_property
    def figures(self) -> str:
        """The same with numbers in digits."""
        return with_digits(self.text, self.language)

    def say(self, english: str, chinese: str) -> str:
        """Return the one of two texts that is in the language of the answer."""
        return chinese if self.language == "zh" else english


# What asks for the rest of a reply that broke off, by its beginning (dialogue/history.py); the reply is
# given anew, and the dispatcher leaves out what was spoken already.
GO_ON_MARKS: Final = ("Go on exactly where you stopped", "请从刚才停下的地方接着说完")

# Answers, or returns None when the question is not its subject.
Rule: TypeAlias = Callable[[Query], str | None]


def parse_query(
    messages: Sequence[Message], *, hint: Language, now: datetime, tools: Sequence[Tool] = ()
) -> Query:
    """Return the last question of a dialogue, what came before it and what was called for it."""
    given = [message.content for message in messages if message.role == "user"]
    spoken = [_LOCAL_TIME.sub("", content).strip()[:_MOST_CHARACTERS] for content in given]
    replies = tuple(each.content for each in messages if each.role == "assistant" and each.content)
    if len(spoken) > 1 and spoken[-1].startswith(GO_ON_MARKS):
        spoken, replies = spoken[:-1], replies[:-1]
    said, earlier = (spoken[-1], tuple(spoken[:-1])) if spoken else ("", ())
    line = _LOCAL_TIME.search(given[-1]) if given else None
    place = _PLACE.search(line[1]) if line else None
    return Query(
        said=said,
        language=language_of(said, earlier, hint),
        now=_time_at_device(line[1], now) if line else now,
        place=place[1].strip() if place else "",
        earlier=earlier,
        replies=replies,
        tools=tuple(tools),
        done=tuple(_done(messages)),
        prompt=next((each.content for each in messages if each.role == "system"), ""),
    )


def _time_at_device(line: str, now: datetime) -> datetime:
    """Return the time that a line states, in its zone; this machine's clock where it states none."""
    local = now.astimezone(_zone_of(line))
    match = _STATED.search(line)
    if match is None:
        return local
    year, month, day, day_en, month_en, year_en, hour, minute = match.groups()
    try:
        number = _MONTHS.index(month_en) + 1 if month_en else int(month)
        date = local.replace(year=int(year or year_en), month=number, day=int(day or day_en))
        return date.replace(hour=int(hour), minute=int(minute))
    except ValueError:
        return local


def _zone_of(line: str) -> tzinfo | None:
    """Return the zone that a line of local time names, by name or by offset; None is this machine's."""
    match = _ZONE.search(line)
    if match is None:
        return None
    name, sign, hours, minutes = match.groups()
    if name:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    return timezone(offset) if offset < timedelta(days=1) else None


def _done(messages: Sequence[Message]) -> Iterator[tuple[Call, str]]:
    """Yield what was called since the user spoke; results come in the order of the calls."""
    last = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
    since = messages[last + 1 :]
    calls = [call for message in since for call in message.calls]
    results = [message.content for message in since if message.role == "tool"]
    yield from zip(calls, results, strict=False)


def language_of(said: str, earlier: Sequence[str], hint: Language) -> SpokenLanguage:
    """Return the language of the script, else the hint, else the language of what was said before."""
    script = _script(said)
    if script is not None:
        return script
    if hint != "auto":
        return hint
    return next((script for text in reversed(earlier) if (script := _script(text))), "en")


def _script(text: str) -> SpokenLanguage | None:
    if has_han(text):
        return "zh"
    return "en" if _LATIN.search(text) else None


def plain_english(said: str) -> str:
    """Return the words in lower case, short forms written out."""
    text = _THOUSANDS.sub("", said.lower().replace("’", "'"))
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    text = _MARKS.sub(" ", text)
    return _CALLED.sub("", _OPENING.sub("", " ".join(_POLITE.sub(" ", text).split())))


def plain_chinese(said: str) -> str:
    """Return the characters without spaces and marks, simplified."""
    text = _MARKS.sub("", _THOUSANDS.sub("", said.translate(_SIMPLIFIED)).lower())
    return _CALLED_ZH.sub("", _POLITE_ZH.sub("", "".join(text.split())))
