"""Coins and dice; the clock throws them, so that the rules stay without dice of their own."""

from __future__ import annotations

import re
from typing import Final

from dispatcher.builtin.assistant.asked import Asked

_COIN: Final = re.compile(r"\b(?:flip|toss|throw)\b.*\bcoin\b|\bheads or tails\b|[抛扔掷].*硬币")
_DICE: Final = re.compile(r"\b(?:roll|throw)\b.*\b(?:dice|die)\b|[掷扔投].*(?:骰子|色子)")
# Milliseconds repeat too neatly in a test of patience; microseconds do not.
_SIDES: Final = 6


def throw(asked: Asked) -> str | None:
    """Throw a coin or a die."""
    chinese = asked.language == "zh"
    chance = asked.now.microsecond
    if _COIN.search(asked.text):
        heads = chance % 2 == 0
        if chinese:
            return f"😏 {'正面' if heads else '反面'}！"
        return f"😏 {'Heads' if heads else 'Tails'}!"
    if _DICE.search(asked.text):
        count = chance % _SIDES + 1
        return f"😏 {count}点！" if chinese else f"😏 A {count}!"
    return None
