"""Break points of written text: the ends of sentences and clauses, spaces, and look-alikes of these.

What a place is depends on the text up to it and on the first character behind it that does not
belong to it. Where that has not come yet, the answer is "wait" and never changes afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from dispatcher.speech_text.cjk import is_cjk

Kind = Literal["sentence", "clause", "space", "letter", "none"]

_LATIN_ENDS: Final = frozenset(".!?")
_ENDS: Final = _LATIN_ENDS | frozenset("。！？…")
_LATIN_CLAUSES: Final = frozenset(",;:")
_CLAUSES: Final = _LATIN_CLAUSES | frozenset("，、；：—")
_CLOSERS: Final = frozenset("'\u2019”)]}）】》」』〉")
# One sign for both sides; the second one closes.
_TWO_SIDED: Final = frozenset('"*_`~')
_OPEN: Final = re.compile('[“\u2018(（\\[【《「『〈"*_`~]')
# Between the parts of one word or number: don't, 3.5, well-known, 10:30.
_INSIDE_WORDS: Final = frozenset("'\u2019.,:-")

_ABBREVIATIONS: Final = frozenset({
    "dr", "mr", "mrs", "ms", "prof", "st", "mt", "sr", "jr", "vs", "etc", "cf", "fig", "vol",
    "approx", "inc", "ltd", "dept", "gen", "col", "capt", "rev", "ph.d",
})  # fmt: skip
_WORD_BEFORE: Final = re.compile(r"[A-Za-z]+(?:\.[A-Za-z]+)*$")
# Shorter words (at, the, of, to) lean on the next one: a voice must not stop there.
_LONG_WORD: Final = re.compile(r"[^\W_]{4}$")
_INITIALS: Final = re.compile(r"[A-Za-z](?:\.[A-Za-z])*")
_LIST_NUMBER: Final = re.compile(r"(?:^|\n)[\s>*#-]*\d{1,3}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One step through the text.

    Attributes:
        kind: what ends here; "letter" is the seam between two CJK characters.
        end: where the piece before ends, if it is cut here.
        resume: where to look on, if not.
        weight: how much speech lies between; a CJK character is 1, a word is 2.
    """

    kind: Kind
    end: int
    resume: int
    weight: int = 0


def place_at(text: str, at: int) -> Place | None:
    """Return what is at the position, or None when that depends on text to come."""
    character = text[at]
    if character in _ENDS or character in _CLAUSES:
        return _mark(text, at)
    if character == "\n":
        return Place(kind="sentence", end=at + 1, resume=at + 1)
    if character.isspace():
        after_word = _LONG_WORD.search(text, 0, at) is not None
        return Place(kind="space" if after_word else "none", end=at, resume=at + 1)
    if is_cjk(character):
        between = at > 0 and is_cjk(text[at - 1])
        return Place(kind="letter" if between else "none", end=at, resume=at + 1, weight=1)
    begins_word = character.isalnum() and not (at > 0 and _is_in_word(text[at - 1]))
    return Place(kind="none", end=at, resume=at + 1, weight=2 if begins_word else 0)


def _is_in_word(before: str) -> bool:
    return before in _INSIDE_WORDS or (before.isalnum() and not is_cjk(before))


def _mark(text: str, at: int) -> Place | None:
    if _is_certain_clause(text, at):
        return Place(kind="clause", end=at + 1, resume=at + 1)
    end = _past_mark(text, at)
    if end == len(text):
        return None
    kind = _kind_of_end(text, at, end) if text[at] in _ENDS else _kind_of_clause(text, at, end)
    return kind and Place(kind=kind, end=end, resume=end)


def _is_certain_clause(text: str, at: int) -> bool:
    """Return whether nothing that may follow makes a difference; it saves waiting for it.

    Not so with a Latin mark (10:30), a dash (two make one), after a digit (10：30), and in quotes,
    whose end would belong to the piece.
    """
    if text[at] not in "，、；：" or (at > 0 and text[at - 1].isdigit()):
        return False
    return _OPEN.search(text, 0, at) is None


def _past_mark(text: str, at: int) -> int:
    """Return where the run of marks ends, with the quotes and brackets that it closes."""
    run = _ENDS if text[at] in _ENDS else {text[at]}
    while at < len(text):
        sign = text[at]
        if sign in run or sign in _CLOSERS:
            at += 1
        elif sign in _TWO_SIDED:
            past = _past_sign(text, at)
            if past < len(text) and (text.count(sign, 0, at) // (past - at)) % 2 == 0:
                # It opens what comes next.
                return at
            at = past
        else:
            return at
    return at


def _past_sign(text: str, at: int) -> int:
    past = at
    while past < len(text) and text[past] == text[at]:
        past += 1
    return past


def _kind_of_end(text: str, at: int, end: int) -> Kind | None:
    following = text[end]
    marks = [sign for sign in text[at:end] if sign in _ENDS]
    if any(sign not in _LATIN_ENDS for sign in marks):
        # “……！”，: the sentence that quotes goes on.
        return "none" if following in _CLAUSES else "sentence"
    if is_cjk(following):
        return "none" if marks[-1] == "." else "sentence"
    if not following.isspace():
        return "none"
    return _kind_of_full_stop(text, at, end) if marks == ["."] else "sentence"


def _kind_of_full_stop(text: str, at: int, end: int) -> Kind | None:
    """Return what a full stop before white space is; None for "No." until it says No. 5 or No."""
    if _LIST_NUMBER.search(text, 0, at):
        return "none"
    found = _WORD_BEFORE.search(text, 0, at)
    word = found.group().lower() if found else ""
    if word == "no":
        following = text[end:].lstrip(" \t")
        return ("none" if following[0].isdigit() else "sentence") if following else None
    return "none" if word in _ABBREVIATIONS or _INITIALS.fullmatch(word) else "sentence"


def _kind_of_clause(text: str, at: int, end: int) -> Kind:
    following = text[end]
    if text[at] in _LATIN_CLAUSES:
        return "clause" if following.isspace() else "none"
    inside_number = at > 0 and text[at - 1].isdigit() and following.isdigit()
    return "none" if inside_number else "clause"
