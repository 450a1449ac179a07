"""Secrets of the environment, without what an editor, a shell or a copied line left around them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final

# Byte order mark, zero-width characters, directional marks, soft hyphen: nobody types them.
_INVISIBLE: Final = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_QUOTES: Final = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "”": "”", "’": "’", "«": "»"}
_QUOTE_MARKS: Final = "".join({*_QUOTES, *_QUOTES.values()})
_HEADER: Final = re.compile(r"(authorization\s*:\s*)?bearer(:\s*|\s+)|authorization\s*:\s*", re.IGNORECASE)
_LOWEST_PRINTABLE: Final = 0x20


def plain_secret(text: str) -> str:
    """Return a key as it was meant.

    Blanks, line ends, quotes and invisible characters around it go, and so does the "Bearer " that is put
    before it when it is sent.
    """
    before, text = None, _INVISIBLE.sub("", text)
    while text != before:
        before = text
        text = text.strip().strip(_QUOTE_MARKS)
        text = _HEADER.sub("", text, count=1) if _HEADER.match(text) else text
        text = "" if text.lower() == "bearer" else text
    return text


def secret_problem(text: str) -> str:
    """Return why a key cannot be sent, or nothing; the key is never part of it."""
    key = plain_secret(text)
    if not key:
        return "which is empty"
    if any(each in "\r\n" for each in key):
        return "which holds more than one line"
    if any(ord(each) < _LOWEST_PRINTABLE or each == "\x7f" for each in key):
        return "which holds a control character"
    if not key.isascii():
        return "which holds a character that is no plain ASCII"
    if " " in key:
        return "which holds a blank inside"
    return ""


def read_secret(variable: str | None, environ: Mapping[str, str] | None = None) -> str | None:
    """Return what a variable holds, or None where it is not set or cannot be sent."""
    held = (os.environ if environ is None else environ).get(variable) if variable else None
    return plain_secret(held) if held and not secret_problem(held) else None


def plain_passphrase(text: str) -> str:
    """Return a secret that signs: any text, without line ends, blanks and quotes around it."""
    return _unquoted(_INVISIBLE.sub("", text).strip())


def passphrase_problem(text: str) -> str:
    """Return why a secret cannot sign, or nothing."""
    held = plain_passphrase(text)
    if not held:
        return "which is empty"
    if any(ord(each) < _LOWEST_PRINTABLE or each == "\x7f" for each in held):
        return "which holds a line end or a control character"
    # Bytes that are no UTF-8 reach Python as halves of a character, which nothing can encode.
    if any("\ud800" <= each <= "\udfff" for each in held):
        return "which holds bytes that are no UTF-8"
    return ""


def _unquoted(text: str) -> str:
    """Return a text without the pairs of quotes around it."""
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


class EveryVariable(Mapping[str, str]):
    """An environment in which every variable is set: for a command that uses no key of other instances."""

    def __getitem__(self, name: str) -> str:
        """Return a value that is not empty."""
        return name

    def __iter__(self) -> Iterator[str]:
        """Yield nothing: its variables are those that are looked up."""
        return iter(())

    def __len__(self) -> int:
        """Return 0, as above."""
        return 0
