"""Mandarin as the acoustic model reads it: characters become initials, finals with tones, and pauses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pypinyin import Style, lazy_pinyin, load_phrases_dict
from pypinyin.seg import mmseg

from dispatcher.bundled.voices.tone_sandhi import Syllable, with_sandhi
from dispatcher.speech_text.cjk import HAN

SILENCE: Final = "sil"
PAUSE: Final = "#3"
BETWEEN_SYLLABLES: Final = "#0"
ERHUA: Final = "er5"

_PHRASE: Final = re.compile(f"[{HAN}]+")
_MARK: Final = re.compile(r"[^\w\s]|\n")
# What is left of digits and letters is read one by one; whole numbers are words before they come here.
_DIGITS: Final = str.maketrans("0123456789", "零一二三四五六七八九")
# 某, "a certain": for the few characters that have no known reading.
_UNKNOWN: Final = "mou3"
# Syllables that the model was not trained with, as the nearest ones that it was.
_NEAREST: Final = {
    "n": "en", "ng": "en", "m": "en", "hm": "heng", "hng": "heng", "ê": "ei", "len": "leng", "nun": "nen",
}  # fmt: skip
# Characters whose reading depends on their neighbours, where the dictionary has the rare one or none.
_PHRASES: Final = {
    "调到": "tiáo dào", "调高": "tiáo gāo", "调低": "tiáo dī", "调大": "tiáo dà", "调小": "tiáo xiǎo",
    "重庆": "chóng qìng", "着急": "zháo jí", "头发": "tóu fa", "早上": "zǎo shang", "晚上": "wǎn shang",
    "地上": "dì shang", "桌上": "zhuō shang", "路上": "lù shang", "我们": "wǒ men", "朋友": "péng you",
    "数一数": "shǔ yi shǔ", "还有": "hái yǒu", "一会儿": "yí huì er", "待会儿": "dāi huì er",
}  # fmt: skip
_COUNTS: Final = frozenset("一二两三四五六七八九十百千万几每这那")
_PRONOUNS: Final = frozenset("我你您他她它们谁")
# Words in which 儿 is a syllable of its own, a child, by the character before or after it.
_CHILD_AFTER: Final = frozenset("女婴幼孤少胎男健生")
_CHILD_BEFORE: Final = frozenset("子童女歌媳科孙")


def prepare_dictionary() -> None:
    """Load the readings, which takes a third of a second, and put right those of everyday words."""
    load_phrases_dict({word: [[each] for each in reading.split()] for word, reading in _PHRASES.items()})
    list(mmseg.seg.cut("好"))


def symbols(text: str, parts: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the symbols of a sentence; empty when there is nothing in it to read.

    Args:
        text: the sentence; what is neither a Chinese character nor a digit is a pause or nothing.
        parts: initial and final of each syllable without its tone, from the model's table.
    """
    read: list[str] = []
    last = 0
    text = text.translate(_DIGITS)
    for phrase in _PHRASE.finditer(text):
        if read:
            read.append(PAUSE if _MARK.search(text, last, phrase.start()) else BETWEEN_SYLLABLES)
        read += _phrase_symbols(phrase[0], parts)
        last = phrase.end()
    return [SILENCE, *read, SILENCE] if read else []


def syllables(phrase: str) -> list[list[Syllable]]:
    """Return the words of a phrase of Chinese characters, each syllable with its spoken tone."""
    words = list(mmseg.seg.cut(phrase))
    readings = iter(_readings(words, phrase))
    return with_sandhi([[_syllable(character, next(readings)) for character in word] for word in words])


def _readings(words: Sequence[str], phrase: str) -> list[str]:
    readings = _pinyin(words)
    if len(readings) != len(phrase):
        readings = [reading for character in phrase for reading in _pinyin([character])[:1]]
    place = 0
    for word in words:
        if len(word) == 1:
            before, after = phrase[max(0, place - 2) : place], phrase[place + 1 : place + 2]
            readings[place] = _in_context(word, before, after) or readings[place]
        place += len(word)
    return readings


def _pinyin(words: Sequence[str]) -> list[str]:
    # A character without a reading comes back as it is.
    read = lazy_pinyin(list(words), style=Style.TONE3, neutral_tone_with_five=True)
    return [each if each.isascii() or each[:1] == "ê" else _UNKNOWN for each in read]


def _in_context(character: str, before: str, after: str) -> str | None:
    """Return the reading of a character that is a word of its own, where its neighbours decide."""
    match character:
        case "得":
            return "dei3" if before[-1:] in _PRONOUNS and after else "de5"
        case "地":
            return "de5" if len(before) == 2 and before[0] == before[1] else None
        case "只":
            return "zhi1" if before[-1:] in _COUNTS else None
        case "教":
            return "jiao1"
        case "长":
            return "chang2" if before[-1:] in {"最", "很", "多", "太", "更", "好", "米"} else None
        case _:
            return None


def _syllable(character: str, reading: str) -> Syllable:
    sound, tone = reading[:-1], reading[-1:]
    if not tone.isdigit():
        sound, tone = reading, "5"
    return Syllable(written=character, sound=sound, tone=int(tone))


def _phrase_symbols(phrase: str, parts: Mapping[str, Sequence[str]]) -> list[str]:
    spoken = [syllable for word in syllables(phrase) for syllable in word]
    read: list[str] = []
    for place, syllable in enumerate(spoken):
        if read and _is_erhua(spoken, place):
            read.append(ERHUA)
            continue
        sound = _NEAREST.get(syllable.sound, syllable.sound)
        initial, final = parts.get(sound) or parts[_UNKNOWN[:-1]]
        read += [*([BETWEEN_SYLLABLES] if read else []), initial, f"{final}{syllable.tone}"]
    return read


def _is_erhua(spoken: Sequence[Syllable], place: int) -> bool:
    """Return whether this is the 儿 that only colours the syllable before it, as in 哪儿."""
    if spoken[place].written != "儿" or spoken[place - 1].written in _CHILD_AFTER:
        return False
    return place + 1 == len(spoken) or spoken[place + 1].written not in _CHILD_BEFORE
