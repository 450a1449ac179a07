"""Text normalization: numbers, dates, units and signs as words, in the language of each sentence."""

from __future__ import annotations

import re
from typing import Final, Literal

from dispatcher.speech_text.chinese import normalize_zh
from dispatcher.speech_text.cjk import CJK, has_cjk
from dispatcher.speech_text.english import normalize_en

Language = Literal["zh", "en", "auto"]

# A full stop may end a sentence or an abbreviation; before the other script the difference matters.
_SENTENCE_END: Final = re.compile(rf"(?<=[。！？!?\n])|(?<=\. )(?=[{CJK}])")
_WORD: Final = re.compile(r"[A-Za-z]{2,}")


def normalize(text: str, language: Language) -> str:
    """Return the text as a voice that knows only words has to be given it.

    A sentence with Chinese in it is said in Chinese, its numbers too; one in Latin script in English.

    Args:
        text: plain text, as `clean` returns it.
        language: of a sentence that has no words; "auto" for English.
    """
    return "".join(_normalized(sentence, language) for sentence in _SENTENCE_END.split(text))


def _normalized(sentence: str, language: Language) -> str:
    if has_cjk(sentence) or (language == "zh" and not _is_english(sentence)):
        return normalize_zh(sentence)
    return normalize_en(sentence)


def _is_english(sentence: str) -> bool:
    """Return whether the sentence is one, not only the name of a model or a unit."""
    words = _WORD.findall(sentence)
    return len(words) > 1 and any(word.islower() for word in words)
