"""Transcripts of ASR servers, reduced to the words that a person said; noise leaves nothing.

Sources: SenseVoice's tags (xinnan-tech/xiaozhi-esp32-server #2378), noise as punctuation and annotations
(PocketShell #452, godot-whisper #20), Whisper's subtitles of silence (openai/whisper discussions #679, #928).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from dispatcher.messages import Language
from dispatcher.speech_text.cjk import CJK

# Whisper's own bounds: above the first a segment may be silence, and is when it is also below the second.
NO_SPEECH_RATIO: Final = 0.6
LOGPROB_OF_SILENCE: Final = -1.0
_TAG: Final = re.compile(r"<\s*[|\uff5c]\s*([^<>|\uff5c]{1,30}?)\s*[|\uff5c]\s*>")
_TAG_LANGUAGES: Final[dict[str, Language]] = {"zh": "zh", "yue": "zh", "en": "en"}
_ANNOTATION: Final = re.compile(
    r"\[[^\[\]]{0,60}\]|\([^()]{0,60}\)|（[^（）]{0,60}）|【[^【】]{0,60}】|\*[^*]{1,40}\*|[♪♫♩♬🎵🎶]+[^♪♫♩♬🎵🎶]*[♪♫♩♬🎵🎶]+|[♪♫♩♬🎵🎶]"
)
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\ufffd]")
_SPACE_IN_CHINESE: Final = re.compile(rf"(?<=[{CJK}])\s+(?=[{CJK}])")
_NO_LETTER: Final = re.compile(r"[\W_]+")
# A unit of up to twelve characters, said again and again: a decoder that is caught in a loop.
_LOOP: Final = re.compile(r"^\W*(.{1,12}?)(?:[\s\W]*\1){7,}\W*$", re.DOTALL)
_FEWEST_LOOP_CHARACTERS: Final = 24
# Annotations inside of one another; what is deeper is no transcript, and may not cost more.
_MOST_NESTED: Final = 20
# Subtitles that Whisper learned from films, and prompts that it says again: nobody says these to a device.
_SUBTITLES: Final = re.compile(
    r"amaraorg|mooji|点赞.*订阅.*转发|請不吝點贊|明镜与点点|明鏡與點點|^字幕(by|志愿者|志願者|索兰娅)|^中文字幕|优优独播剧场"
    r"|优独播剧场|yoyotelevision|^以下是普通话的句子|^(subtitles|captions|captioning|transcription|transcript|translation)by"
    r"|^ご視聴ありがとう|^チャンネル登録|^시청해주셔서|^mbc뉴스"
    r"|(like|share)and?subscribe|subscribeto(my|our|the|this)channel|dontforgettosubscribe|^pleasesubscribe"
)
_CLOSINGS: Final = re.compile(
    r"(thankyou|thanks)(somuch|verymuch|all|everyone|guys)*forwatching|seeyou(in)?thenext(video|one|time)"
    r"|(谢谢|謝謝|感谢|感謝|多谢)(大家|各位|您的|你的|您|你)?(的)?(观看|收看|觀看|收聽|收听)+|(请|請)?(订阅|訂閱)(我的)?(频道|頻道)?"
    r"|我们下期再见|我們下期再見|下期再见"
)
# Said to a device as often as heard in noise: only the measure of silence tells.
_SHORT_WORDS: Final = frozenset(
    (
        "you thankyou thanks bye byebye okay ok oh so hmm mm uh um theend the yeah yes no i and "
        "谢谢 謝謝 谢谢大家 嗯 啊 哦 好 对 是 呃 我"
    ).split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanTranscript:
    """Words of a transcript.

    Attributes:
        text: empty where nothing was said.
        language: by a tag of the ASR model, or "auto" where it has none.
    """

    text: str
    language: Language = "auto"


def said(text: str, *, no_speech_ratio: float | None = None, logprob: float | None = None) -> CleanTranscript:
    """Return what a person said of a transcript.

    Args:
        text: as the instance sent it.
        no_speech_ratio: likelihood of silence, 0..1, where the instance tells; the least of all segments.
        logprob: mean logarithm of the tokens' likelihood, where the instance tells.
    """
    tags = [tag.casefold() for tag in _TAG.findall(text)]
    language: Language = next((_TAG_LANGUAGES[tag] for tag in tags if tag in _TAG_LANGUAGES), "auto")
    words = _words_of(text)
    letters = _NO_LETTER.sub("", unicodedata.normalize("NFKC", words)).casefold()
    is_silent = no_speech_ratio is not None and no_speech_ratio >= NO_SPEECH_RATIO
    if not letters or _is_loop(words) or _is_invented(letters, is_silent=is_silent, ratio=no_speech_ratio):
        return CleanTranscript(text="", language=language)
    if is_silent and logprob is not None and logprob <= LOGPROB_OF_SILENCE:
        return CleanTranscript(text="", language=language)
    return CleanTranscript(text=words, language=language)


def _words_of(text: str) -> str:
    """Return a text without tags and annotations, those inside of others too."""
    for _ in range(_MOST_NESTED):
        before = text
        text = _INVISIBLE.sub("", _ANNOTATION.sub(" ", _TAG.sub(" ", text)))
        text = _SPACE_IN_CHINESE.sub("", " ".join(text.split()))
        if text == before:
            break
    return text


def _is_loop(words: str) -> bool:
    return len(words) >= _FEWEST_LOOP_CHARACTERS and bool(_LOOP.match(words))


def _is_invented(letters: str, *, is_silent: bool, ratio: float | None) -> bool:
    """Return whether these are words that Whisper is known to invent for silence and noise."""
    if _SUBTITLES.search(letters) or _CLOSINGS.fullmatch(letters):
        return is_silent or ratio is None
    return is_silent and letters in _SHORT_WORDS
