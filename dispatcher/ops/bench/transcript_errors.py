"""Character and word error rates of transcripts, through one normaliser on both sides.

Whisper writes "3:25" or "three twenty-five" for the same sound, and traditional characters now and then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dispatcher.bundled.engines import SpokenLanguage
from dispatcher.speech_text.normalization import normalize

# Traditional characters of everyday words, and the other names of 2, 1 and 0.
_ONE_FORM: Final = str.maketrans(
    "現點氣溫聽說張號週們園遞經記請師圖館從隻裡裏蘋塊廳燈關媽廚飯報紙會議書頁對網還樂貓發著車燒開話碼鐘鍾雞買電兩藥"
    "後節離這長亞銀夢陳靜機沒別偉學間時過給個見興認識錢幾樣來問嗎讓帶調歡讀鬆跡盤課樹樓馬門風雲魚鳥黃紅綠藍"
    "两幺\u3007",
    "现点气温听说张号周们园递经记请师图馆从只里里苹块厅灯关妈厨饭报纸会议书页对网还乐猫发着车烧开话码钟钟鸡买电二药"
    "后节离这长亚银梦陈静机没别伟学间时过给个见兴认识钱几样来问吗让带调欢读松迹盘课树楼马门风云鱼鸟黄红绿蓝"
    "二一零",
)
_NOT_SAID: Final = re.compile(r"[\W_]+")
_APOSTROPHE: Final = re.compile(r"['’]")
# A number of a telephone is transcribed digit by digit, also where it is written in one.
_MANY_DIGITS: Final = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){6,}(?![\d.,]*\d)")
# Whisper writes times with a point now and then.
_TIME: Final = re.compile(r"(?<![\d.])(\d{1,2})\.([0-5]\d)(?![\d.]*\d)")
_SAME_WORDS: Final = (
    (re.compile(r"\bmr\b"), "mister"),
    (re.compile(r"\bokay\b"), "ok"),
    (re.compile(r"\balright\b"), "all right"),
    (re.compile(r"\boh\b"), "zero"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSentence:
    """One sentence as a voice spoke it and as the ASR transcribed it.

    Attributes:
        spoken, transcript: as written.
        errors: words (English) or characters (Chinese) replaced, left out or added.
        length: words or characters that were spoken.
    """

    spoken: str
    transcript: str
    errors: int
    length: int

    @classmethod
    def of(cls, spoken: str, transcript: str, language: SpokenLanguage) -> ComparedSentence:
        """Compare the spoken text with its transcript."""
        expected = comparable(spoken, language)
        return cls(
            spoken=spoken,
            transcript=transcript,
            errors=edit_distance(expected, comparable(transcript, language)),
            length=len(expected),
        )


def error_ratio(sentences: Sequence[ComparedSentence]) -> float:
    """Return the share of all words or characters that are wrong; more than 1 where many were added."""
    return sum(each.errors for each in sentences) / max(1, sum(each.length for each in sentences))


def comparable(text: str, language: SpokenLanguage) -> list[str]:
    """Return the characters (Chinese) or the words (English) of a text, numbers in one form, no marks."""
    text = _MANY_DIGITS.sub(lambda match: " ".join(re.findall(r"\d", match[0])), text)
    text = _TIME.sub(r"\1:\2", text)
    if language == "zh":
        written = normalize(text.translate(_ONE_FORM), "zh").translate(_ONE_FORM)
        return list(_NOT_SAID.sub("", written).lower())
    words = _NOT_SAID.sub(" ", _APOSTROPHE.sub("", normalize(text, "en").lower()))
    for pattern, word in _SAME_WORDS:
        words = pattern.sub(word, words)
    return words.split()


def edit_distance(expected: Sequence[str], transcript: Sequence[str]) -> int:
    """Return the least number of replaced, missing and added items between two sequences (Levenshtein)."""
    row = list(range(len(transcript) + 1))
    for count, wanted in enumerate(expected, start=1):
        left = [count]
        for place, got in enumerate(transcript):
            left.append(min(row[place + 1] + 1, left[-1] + 1, row[place] + (wanted != got)))
        row = left
    return row[-1]
