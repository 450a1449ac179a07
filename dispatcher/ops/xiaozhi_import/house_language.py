"""Language of a house of the other server, and its greeting in that language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dispatcher.ops.xiaozhi_import.legacy_config import Legacy, text_of

GREETINGS: Final = {"zh": "我在呢，请说。", "en": "I'm here, go ahead."}
NO_GREETING: Final = (
    "enable_greeting: the language of the house is {language}; "
    "write a greeting in it as conversation.greeting"
)
_ANSWERS_IN_CHINESE: Final = re.compile(r"\bin (?:Chinese|Mandarin)\b", re.IGNORECASE)
_LOCALE: Final = re.compile(r"\b([a-z]{2,3})-[A-Z][A-Za-z]{1,3}\b")
_CHINESE: Final = frozenset({"zh", "wuu", "yue"})
_KANA: Final = re.compile(r"[\u3041-\u30ff]")
_HANGUL: Final = re.compile(r"[\uac00-\ud7af]")
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_WORD: Final = re.compile(r"[^\W\d_]+")
_SMALL_WORDS: Final = "you are is the a an and your to of in with be not do it that this for who"
_ENGLISH: Final = frozenset(_SMALL_WORDS.split())
# Of Latin letters English is only what has its small words.
_ENGLISH_SHARE: Final = 0.15


def house_language(legacy: Legacy) -> str:
    """Return the language of a house as a code such as "en"; "unknown" for one that is not told apart.

    Chinese is what the other server's own file has everywhere, so what differs from it is the user's word:
    that of the prompt, then that of the voice.
    """
    prompt = text_of(legacy.data.get("prompt"))
    if _ANSWERS_IN_CHINESE.search(prompt):
        return "zh"
    found = [
        language_of(prompt),
        _voice_language(legacy),
        language_of(" ".join(legacy.texts("wakeup_words"))),
    ]
    own = next((language for language in found[:2] if language not in {"", "zh"}), "")
    return own or next((language for language in found if language), "unknown")


def language_of(text: str) -> str:
    """Return the language of a text by its script, English by its small words.

    It is "unknown" for others in Latin letters, and empty for a text without letters.
    """
    if _KANA.search(text):
        return "ja"
    if _HANGUL.search(text):
        return "ko"
    words = [word.lower() for word in _WORD.findall(_HAN.sub(" ", text))]
    characters = len(_HAN.findall(text))
    if not words and not characters:
        return ""
    if characters >= max(1, len(words)):
        return "zh"
    small = sum(word in _ENGLISH for word in words)
    return "en" if small / len(words) >= _ENGLISH_SHARE else "unknown"


def _voice_language(legacy: Legacy) -> str:
    """Return the language that the name of the voice in use tells; empty where it tells none."""
    voice = legacy.section("TTS", text_of(legacy.section("selected_module").get("TTS")))
    for name in ("private_voice", "voice", "speaker", "voice_id"):
        if match := _LOCALE.search(text_of(voice.get(name))):
            return "zh" if match[1] in _CHINESE else match[1]
    return ""


def greeting_lines(legacy: Legacy, taken: list[str], left: list[str]) -> Iterator[str]:
    """Yield the greeting of `conversation:`, in the language of the house, and note what became of it."""
    if legacy.data.get("enable_greeting") is not True:
        return
    language = house_language(legacy)
    greeting = GREETINGS.get(language)
    if greeting is None:
        left.append(NO_GREETING.format(language=language))
        return
    taken.append("enable_greeting as a fixed greeting")
    yield f'  greeting: "{greeting}"  # spoken when a device wakes up'
