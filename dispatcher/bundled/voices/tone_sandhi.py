"""Tone sandhi of Mandarin: how tones change beside each other. Tone 5 is the neutral one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

_DIGITS: Final = frozenset("零〇幺一二两三四五六七八九十点")
_NUMERALS: Final = _DIGITS | frozenset("百千万亿第")
# 一 keeps its tone before these: days, months and floors are counted with it as an ordinal.
_AFTER_ORDINAL: Final = frozenset("月日号楼班")


@dataclass(frozen=True, slots=True, kw_only=True)
class Syllable:
    """One spoken character: `written`, its pinyin without the tone, and its tone, 1 to 5."""

    written: str
    sound: str
    tone: int


def with_sandhi(words: Sequence[Sequence[Syllable]]) -> list[list[Syllable]]:
    """Return the words of one phrase with the tones in which they are spoken."""
    flat = [syllable for word in words for syllable in word]
    changed = [_with_own_rule(flat, place) for place in range(len(flat))]
    spoken = iter(changed)
    return _with_third_tones([[next(spoken) for _ in word] for word in words])


def _with_own_rule(phrase: Sequence[Syllable], place: int) -> Syllable:
    """Apply the rules of 一 and 不, which look at the character after them and the one before."""
    syllable = phrase[place]
    if syllable.written not in {"一", "不"}:
        return syllable
    before = phrase[place - 1] if place else None
    after = phrase[place + 1] if place + 1 < len(phrase) else None
    if before and after and before.written == after.written:
        return replace(syllable, tone=5)  # 看一看, 好不好
    if syllable.written == "不":
        return replace(syllable, tone=2 if after and after.tone == 4 else 4)
    return replace(syllable, tone=_tone_of_one(before, after))


def _tone_of_one(before: Syllable | None, after: Syllable | None) -> int:
    if after is None or after.written in _DIGITS - {"点"} or after.written in _AFTER_ORDINAL:
        return 1
    if before and (before.written in _NUMERALS or before.written in "期周"):
        return 1
    # 个 has lost its fourth tone, but 一 still rises before it.
    return 2 if after.tone == 4 or after.written == "个" else 4


def _with_third_tones(words: Sequence[Sequence[Syllable]]) -> list[list[Syllable]]:
    """Raise a third tone before another one: first inside each word, then where two words meet."""
    spoken = [_raised(word) for word in words]
    for word, following in pairwise(spoken):
        if word[-1].tone == following[0].tone == 3:
            word[-1] = replace(word[-1], tone=2)
    return spoken


def _raised(word: Sequence[Syllable]) -> list[Syllable]:
    return [
        replace(each, tone=2) if each.tone == 3 and after and after.tone == 3 else each
        for each, after in zip(word, [*word[1:], None], strict=True)
    ]
