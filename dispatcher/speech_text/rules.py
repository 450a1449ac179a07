"""Rewriting rules: a pattern, and what is said for each match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

Match: TypeAlias = re.Match[str]
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
