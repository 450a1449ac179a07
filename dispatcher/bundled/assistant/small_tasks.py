"""Random numbers, and counting and spelling aloud."""

from __future__ import annotations

import re
from typing import Final

from dispatcher.bundled.assistant.query import Query

_RANDOM: Final = re.compile(
    r"(?:(?:pick|give me|say|tell me|choose|think of) )?a (?:random )?number"
    r"(?: (?:between|from) (\d{1,6}) (?:and|to) (\d{1,6}))?"
    r"|(?:说|选|来)?(?:[从在]?(\d{1,6})[到和至](\d{1,6})(?:之间|中间|里)?的?)?(?:随便|随机)(?:说|选|给|来)?(?:1个)?(?:数字?|随机数)"
)
_COUNT: Final = re.compile(r"count (?:up )?(?:from (\d{1,6}) )?to (\d{1,6})|(?:从(\d{1,6}))?数到(\d{1,6})")
_COUNT_DOWN: Final = re.compile(
    r"count down from (\d{1,6})(?: to (\d{1,6}))?|从(\d{1,6})(?:开始)?倒数(?:到(\d{1,6}))?"
)
_SPELL: Final = re.compile(
    r"(?:how (?:do|would) (?:you|i|we) spell|spell)(?: the (?:word|name))? ([a-z]{1,30})"
)
_MOST_COUNTED: Final = 50


def pick_number(query: Query) -> str | None:
    """Pick a random number."""
    match = _RANDOM.fullmatch(query.figures)
    if match is None:
        return None
    bounds = [int(each) for each in match.groups() if each] or [1, 100]
    return f"😏 {query.random.randint(min(bounds), max(bounds))}{query.say('.', '。')}"


def count_aloud(query: Query) -> str | None:
    """Count up or down."""
    up, down = _COUNT.fullmatch(query.figures), _COUNT_DOWN.fullmatch(query.figures)
    if up:
        first, last = int(up[1] or up[3] or 1), int(up[2] or up[4])
    elif down:
        first, last = int(down[1] or down[3]), int(down[2] or down[4] or 1)
    else:
        return None
    if abs(last - first) >= _MOST_COUNTED:
        return query.say("🤔 That is too far for me to count.", "🤔 太多了，我数不过来。")
    numbers = range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return f"🙂 {query.say(', ', '，').join(map(str, numbers))}{query.say('.', '。')}"


def spell(query: Query) -> str | None:
    """Spell a word letter by letter."""
    match = _SPELL.fullmatch(query.text)
    return f"🙂 {', '.join(match[1].upper())}." if match else None
