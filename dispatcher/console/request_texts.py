"""Texts of a request to the console: a JSON object, and fields that can be kept and shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

MAX_TEXT: Final = 200
_LINE_SIGNS: Final = frozenset("\n\t")
# Control characters, halves of a surrogate pair, and further signs that end a line.
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They turn the direction of what follows, also beyond the text itself.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


async def read_object(request: web.Request) -> Mapping[str, Any]:
    """Return the JSON object of a request.

    Raises:
        HTTPBadRequest: it is none.
    """
    try:
        given = await request.json()
    except (ValueError, LookupError, RecursionError) as error:  # LookupError: an unknown charset
        raise _refused("expected a JSON object") from error
    if not isinstance(given, dict):
        raise _refused("expected a JSON object")
    return given


def text_of(given: Mapping[str, Any], field: str) -> str:
    """Return a field as text without space around it; line ends are those of a browser's text area."""
    return plain_lines(str(given.get(field, "")))


def plain_lines(text: str) -> str:
    """Return a text as a form gives it back."""
    return text.replace("\r\n", "\n").strip()


def require_printable(field: str, text: str, *, most: int = MAX_TEXT, has_lines: bool = False) -> None:
    """Do nothing for a text that can be shown: of any language, with wide spaces and joined emoji.

    Raises:
        HTTPBadRequest: it is too long, or has a control character.
    """
    if len(text) > most:
        raise _refused(f"{field}: had {len(text)} characters; expected at most {most}")
    for at, sign in enumerate(text, start=1):
        is_line_sign = has_lines and sign in _LINE_SIGNS
        if not is_line_sign and (unicodedata.category(sign) in _UNPRINTABLE or sign in _TURNING):
            raise _refused(f"{field}: had U+{ord(sign):04X} as character {at}; expected printable characters")


def _refused(words: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=words)
