"""What of a text is spoken: no Markdown, no emoji, no addresses."""

from __future__ import annotations

import re
from typing import Final

_FENCE: Final = re.compile(r"^\s*(?:```|~~~).*$", re.MULTILINE)
_LINE_START: Final = re.compile(r"^\s*(?:>\s*|#{1,6}\s+|[-*+•]\s+)+", re.MULTILINE)
_RULE: Final = re.compile(r"^\s*(?:[-*_|:]\s*){3,}$", re.MULTILINE)
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_ADDRESS: Final = re.compile(r"(?:https?|ftp)://[!-~]+|www\.[!-~]+")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
# A star between spaces or digits is a sign of arithmetic; others are emphasis.
_EMPHASIS: Final = re.compile(r"(?<![\d\s])\*+|\*+(?![\d\s*])|`+|~~+|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)")
# Pictographs, dingbats, arrows, flags, and what joins and colours them. "°" is not among them.
_EMOJI: Final = re.compile(
    "[\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff\u200d\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f]+"
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b\u2060\ufeff]")
_SPACES: Final = re.compile(r"[ \t\u00a0\u3000]+")
_SENTENCE_MARKS: Final = ".!?。！？…,;:，；：、—"


def spoken_text(text: str) -> str:
    """Return the text as it should be spoken, on one line; a line without a mark at its end gets one."""
    for pattern in (_FENCE, _RULE, _LINE_START, _ADDRESS, _TAG):
        text = pattern.sub("", _LINK.sub(r"\1", text))
    text = _CONTROL.sub("", _EMOJI.sub(" ", _EMPHASIS.sub("", text)))
    lines = [_SPACES.sub(" ", line.replace("|", " ")).strip() for line in text.splitlines()]
    return " ".join(_ended(line) for line in lines if line)


def _ended(line: str) -> str:
    if line[-1] in _SENTENCE_MARKS or line[-1] in "\"'”’」』)）":
        return line
    return line + ("。" if ord(line[-1]) > 0x2E80 else ".")
