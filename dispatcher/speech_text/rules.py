"""Rewriting rules: a pattern, and what is said for each match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

Match: TypeAlias = re.Match[str]
# A number as it is written, and one that may have a minus before it. For use in patterns.
NUMBER: Final = r"\d{1,15}(?:,\d{3})*(?:\.\d{1,15})?"
SIGNED: Final = rf"(?<![\w.)])-?{NUMBER}|(?<!\d){NUMBER}"

Rule: TypeAlias = tuple[re.Pattern[str], Callable[[Match], str] | str]


def rule(pattern: str, said: Callable[[Match], str] | str) -> Rule:
    """Return a rule; its words, digits and word ends are those of ASCII, so that Chinese is no word."""
    return re.compile(pattern, re.ASCII), said


def rewrite(text: str, rules: Iterable[Rule]) -> str:
    """Return the text with every rule applied to the result of the one before."""
    for pattern, said in rules:
        text = pattern.sub(said, text)
    return text


def alternatives(words: Iterable[str]) -> str:
    """Return a pattern for any of the words; a longer one is tried before its own beginning."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def before(match: Match, length: int = 8) -> str:
    """Return the characters right before the match."""
    return match.string[max(0, match.start() - length) : match.start()]


def after(match: Match, length: int = 8) -> str:
    """Return the characters right behind the match."""
    return match.string[match.end() : match.end() + length]


def date_rules(said: Callable[[str, int, int], str]) -> tuple[Rule, ...]:
    """Return the rules of dates in digits: 2026-11-30, 11/30/2026, 30.11.2026.

    Args:
        said: the words for a year as it is written, a month and a day.
    """

    def date(match: Match) -> str:
        month, day = int(match["month"]), int(match["day"])
        # Most of the world writes the day first, and after the twelfth it shows.
        month, day = (day, month) if month > 12 >= day else (month, day)
        is_date = 1 <= month <= 12 and 1 <= day <= 31
        return said(match["year"], month, day) if is_date else match[0]

    return tuple(rule(pattern, date) for pattern in _DATES)


_DATES: Final = (
    r"(?<!\d)(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?![\d.])",
    r"(?<![\d/-])(?P<month>\d{1,2})([-/])(?P<day>\d{1,2})\2(?P<year>[12]\d{3})(?![\d/-])",
    r"(?<![\d.])(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>[12]\d{3})(?![\d.]\d|\d)",
)
# 2026-11-30T08:30:00Z
ISO_TIME_RULES: Final = (
    rule(r"(?<=\d)T(?=\d\d:\d\d)", " "),
    rule(r"(?<=:\d\d)(?:\.\d{1,6})?Z\b", ""),
)
