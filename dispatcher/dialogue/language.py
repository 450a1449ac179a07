"""Language of a device or of a text."""

from __future__ import annotations

import re
from typing import Final, Literal

from dispatcher.messages import Language
from dispatcher.speech_text.cjk import CJK

_CJK_CHARACTER: Final = re.compile(f"[{CJK}]")
_LATIN_WORD: Final = re.compile(r"[A-Za-z\u00c0-\u024f]+")


def detect_language(text: str) -> Literal["en", "zh"]:
    """Return the language of a text by its script; English when there are no letters.

    A character of Chinese says about as much as a word of English, so one is counted against the
    other: an English name in a Chinese sentence does not make it English.
    """
    characters = len(_CJK_CHARACTER.findall(text))
    words = len(_LATIN_WORD.findall(text))
    return "zh" if characters and characters >= words else "en"


def shows_language(text: str) -> bool:
    """Return whether a text has letters to tell its language by; "12:30?" is the same in all of them."""
    return bool(_CJK_CHARACTER.search(text) or _LATIN_WORD.search(text))


def resolve_language(*, device: Language | None, accept_language: str | None, default: Language) -> Language:
    """Return the language of a device: its own setting, else what its header prefers, else the default.

    Args:
        device: what the configuration fixes for this device.
        accept_language: the HTTP header `Accept-Language` of its requests, such as "zh-CN,en;q=0.8".
        default: for devices that say nothing, or only languages that are not spoken here.
    """
    return device or _preferred(accept_language or "") or default


def _preferred(accept_language: str) -> Language | None:
    """Return the language with the highest quality, the first of equals."""
    best: Language | None = None
    best_quality = 0.0
    for part in accept_language.split(","):
        tag, _, parameter = part.partition(";")
        language = _spoken(tag)
        quality = _quality(parameter)
        if language is not None and quality > best_quality:
            best, best_quality = language, quality
    return best


def _spoken(tag: str) -> Language | None:
    match tag.strip().lower().replace("_", "-").partition("-")[0]:
        case "zh":
            return "zh"
        case "en":
            return "en"
        case _:
            return None


def _quality(parameter: str) -> float:
    """Return the q of RFC 9110: 1 when left out, 0 (not wanted) when it cannot be read."""
    if not parameter.strip():
        return 1.0
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0
