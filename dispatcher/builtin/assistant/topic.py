"""One subject of small talk: how it is recognized, and what is answered."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject in both languages; of several answers each comes in its turn."""

    english: re.Pattern[str]
    chinese: re.Pattern[str]
    answers: tuple[str, ...]
    answers_zh: tuple[str, ...]


def says(*ways: str) -> re.Pattern[str]:
    """Return the pattern that fits a text with one of these in it."""
    return re.compile("|".join(ways))
