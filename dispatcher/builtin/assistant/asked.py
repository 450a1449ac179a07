"""What the rules look at: the last thing the user said, made comparable, and what came before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, TypeAlias

from dispatcher.builtin.assistant.notes import known_of
from dispatcher.builtin.assistant.numbers import with_digits
from dispatcher.builtin.engines import Call, Language, Message, SpokenLanguage, Tool

_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_LATIN: Final = re.compile(r"[A-Za-z]")
# A point, colon, slash or comma inside a number says something; elsewhere marks say nothing.
_MARKS: Final = re.compile(r"[.,:](?!\d)|(?<!\d)[.,:](?=\d)|[?!;\"“”…~。，！？；：、（）《》「」]")
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_CONTRACTIONS: Final = (
    (re.compile(r"\b(what|who|where|how|when|that|it|there)'?s\b"), r"\1 is"),
    (re.compile(r"\b(you|we|they)'re\b"), r"\1 are"),
    (re.compile(r"\bi'?m\b"), "i am"),
    (re.compile(r"'"), ""),
)
_POLITE: Final = re.compile(
    r"\b(?:please|hey|um|uh|well|(?:can|could|would|will) you(?: please)?(?! do\b)|i(?: woul)?d like you to"
    r"|(?:xiao ?zhi|shall we)(?= \w))\b"
)
_POLITE_ZH: Final = re.compile(
    r"^(?:请问一下|请问|麻烦你?|请你?|小智(?=.)|嗯(?=.)|那个|帮我|给我|你?(?:能不能|可以)(?![做干说]))+"
)
# Recognizers sometimes write traditional characters; these are the ones that the rules look for.
_SIMPLIFIED: Final = str.maketrans(
    "時間幾點現講個麼嗎這們樂對話設鐘後華攝換裡歲誰兩萬億減號週禮詩謝過說問會愛識別聽見鬧醒兒誕請氣買億",
    "时间几点现讲个么吗这们乐对话设钟后华摄换里岁谁两万亿减号周礼诗谢过说问会爱识别听见闹醒儿诞请气买亿",
)


@dataclass(frozen=True)
class Asked:
    """One question and its circumstances.

    Attributes:
        said: the words as they came.
        language: the language to answer in.
        now: the time, with its zone.
        earlier: what the user said before, oldest first.
        replies: what was answered before, oldest first.
        tools: what may be called.
        done: what was called for this question, with what came of each.
        known: what the user said of himself in earlier talks.
    """

    said: str
    language: SpokenLanguage
    now: datetime
    earlier: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    done: tuple[tuple[Call, str], ...] = ()
    known: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """The words without case, marks and politeness: what patterns are matched with."""
        return plain_chinese(self.said) if self.language == "zh" else plain_english(self.said)

    @cached_property
    def figures(self) -> str:
        """The same with numbers in digits."""
        return with_digits(self.text, self.language)

    @property
    def turn(self) -> int:
        """How many questions came before: picks another joke each time, without dice."""
        return len(self.earlier)


# The line that the dispatcher adds for models without a clock; the rules have one.
_LOCAL_TIME: Final = re.compile(r"\n\[(?:Current time: |当前时间：)[^\n]*\]\s*$")

# Answers, or returns None when the question is not its subject.
Rule: TypeAlias = Callable[[Asked], str | None]


def asked_of(
    messages: Sequence[Message], *, hint: Language, now: datetime, tools: Sequence[Tool] = ()
) -> Asked:
    """Return the last question of a dialogue, what came before it and what was called for it."""
    spoken = [_LOCAL_TIME.sub("", message.content).strip() for message in messages if message.role == "user"]
    answers = (message.content for message in messages if message.role == "assistant")
    replies = tuple(content for content in answers if content)
    said, earlier = (spoken[-1], tuple(spoken[:-1])) if spoken else ("", ())
    return Asked(
        said=said,
        language=language_of(said, earlier, hint),
        now=now,
        earlier=earlier,
        replies=replies,
        tools=tuple(tools),
        done=tuple(_done(messages)),
        known=tuple(known_of(messages)),
    )


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
    if _HAN.search(text):
        return "zh"
    return "en" if _LATIN.search(text) else None


def plain_english(said: str) -> str:
    """Return the words in lower case, short forms written out."""
    text = _THOUSANDS.sub("", said.lower().replace("’", "'"))
    text = _MARKS.sub(" ", text)
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    return " ".join(_POLITE.sub(" ", text).split())


def plain_chinese(said: str) -> str:
    """Return the characters without spaces and marks, simplified."""
    text = _MARKS.sub("", _THOUSANDS.sub("", said.translate(_SIMPLIFIED)).lower())
    return _POLITE_ZH.sub("", "".join(text.split()))
