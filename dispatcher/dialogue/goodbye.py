"""Good-bye: the user ends the session, or only speaks of it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

# Unless the YAML lists others. Each is a whole clause; "remember to say goodbye" is none of them.
GOODBYES: Final = (
    *("goodbye", "good bye", "bye", "bye bye", "see you", "see you later", "good night"),
    *("再见", "拜拜", "拜", "回见", "晚安", "退出", "再见了", "拜拜了"),
)
# What everybody calls the assistant, whatever its persona.
_USUAL_NAMES: Final = ("xiaozhi", "小智")
_BETWEEN_CLAUSES: Final = re.compile(r"[,.!?;~…，。！？；、]+")
_NOT_WORDS: Final = re.compile(r"[\W_]+")


def plain(text: str) -> str:
    """Return a text without case, spaces and punctuation, to be compared."""
    return _NOT_WORDS.sub("", text).casefold()


def is_goodbye(text: str, goodbyes: Collection[str], *, names: Collection[str] = ()) -> bool:
    """Return whether a text ends with a good-bye as a clause of its own.

    Args:
        text: what the user said, such as "okay, goodbye Xiaozhi!".
        goodbyes: in any case and spacing.
        names: what the assistant may be called by beside it, other than Xiaozhi.
    """
    wanted = {plain(each) for each in goodbyes}
    called = sorted({plain(each) for each in (*names, *_USUAL_NAMES)} - {""}, key=len, reverse=True)
    clauses = [plain(clause) for clause in _BETWEEN_CLAUSES.split(text)]
    spoken = [clause for clause in clauses if clause and clause not in called]
    return bool(spoken) and _without(spoken[-1], called) in wanted


def _without(clause: str, names: list[str]) -> str:
    """Return a clause without the name at its end or beginning."""
    for name in names:
        if clause.endswith(name):
            return clause.removesuffix(name)
        if clause.startswith(name):
            return clause.removeprefix(name)
    return clause
