"""Emoji as text: where one begins, what belongs to it, and how to leave them out."""

from __future__ import annotations

import re
from typing import Final

_JOINER: Final = "\u200d"
_VARIATIONS: Final = "\ufe0e\ufe0f"
_SKIN_TONES: Final = "\U0001f3fb-\U0001f3ff"
_FLAG_LETTERS: Final = "\U0001f1e6-\U0001f1ff"
# Two arrows, technical signs, dingbats and stars that are shown as pictures, then the pictographs proper.
_PICTURES: Final = (
    "\u2194\u2195\u231a-\u23ff\u25aa-\u25fe\u2600-\u27bf\u2b00-\u2bff\u3030\u303d\U0001f000-\U0001faff"
)
_TAGS: Final = "\U000e0020-\U000e007f"
_DRESS: Final = f"[{_VARIATIONS}{_SKIN_TONES}{_TAGS}]"

# A flag is two letters; anything else is a picture with its dress, joined to others or not.
_SEQUENCE: Final = re.compile(
    f"[{_FLAG_LETTERS}]{{2}}|[{_PICTURES}]{_DRESS}*(?:{_JOINER}[{_PICTURES}]{_DRESS}*)*{_JOINER}?"
)
_ANY: Final = re.compile(f"[{_PICTURES}{_VARIATIONS}{_TAGS}{_JOINER}\u20e3]")
_DRESS_ANY: Final = re.compile(_DRESS)


def leading_emoji(text: str) -> str:
    """Return the emoji that the text begins with, with all that belongs to it, or ""."""
    found = _SEQUENCE.match(text)
    return found.group() if found else ""


def undressed(emoji: str) -> str:
    """Return the emoji without skin tones, variation selectors and tags."""
    return _DRESS_ANY.sub("", emoji)


def without_emoji(text: str) -> str:
    """Return the text without emoji and the invisible characters that belong to them."""
    return _ANY.sub("", text)
