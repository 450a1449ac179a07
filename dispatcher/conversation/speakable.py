"""What of a written reply is spoken: the words, without Markdown, emoji and addresses."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Final

from dispatcher.speech_text.emoji import without_emoji
from dispatcher.speech_text.script import is_cjk

_LINE_MARKUP: Final = re.compile(
    r"""^\s*(?:
        ```.*                   # a fence, with the name of its language
      | (?:[-*_]\s*){3,}$       # a rule
      | [|:\s-]+$               # the line under a table's head
      | (?:>\s*)*(?:\#{1,6}\s+|[-*+•]\s+|\[[ x]\]\s*)*   # quote, heading, bullet, check box
    )""",
    re.VERBOSE,
)
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s[^()]*)?\)")
# A link that was cut in two leaves its halves.
_LINK_END: Final = re.compile(r"\]\([^()\s]*\)?")
_BRACKETED_ADDRESS: Final = re.compile(r"<((?:https?|ftp)://[^<>\s]*)>")
_ADDRESS: Final = re.compile(r"(?:https?|ftp)://(?:www\.)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)[!-~]*")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
# Stars and underscores between digits or letters (2*3, snake_case), or free (3 * 4), are no markup.
_EMPHASIS: Final = re.compile(
    r"\*{2,}|~~+|`+|(?<!\d)\*(?=\S)|(?<=\S)\*(?!\d)|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)|(?<!\w)_{2,}"
)
_SPACE_BEFORE_MARK: Final = re.compile(r"\s+(?=[,.!?;:](?:\s|$)|[，。！？；：、])")
_SPACES: Final = re.compile(r"\s+")
_LINE_ENDS: Final = frozenset(".!?。！？…,;:，、；：—")


def speakable(text: str) -> str:
    """Return the text as it should be spoken, on one line; empty when nothing in it can be spoken.

    An address is spoken as the name of its host. Lines that end without a mark get one, so that
    the items of a list and a heading are followed by a pause.
    """
    lines = [line for line in map(_spoken_line, text.splitlines()) if line]
    spoken = _joined(lines)
    return spoken if any(character.isalnum() for character in spoken) else ""


def _spoken_line(line: str) -> str:
    line = _LINE_MARKUP.sub("", without_emoji(line))
    line = _LINK.sub(r"\1", line)
    line = _LINK_END.sub("", line)
    line = _ADDRESS.sub(_host, _BRACKETED_ADDRESS.sub(r"\1", line))
    line = _EMPHASIS.sub("", _TAG.sub("", line))
    line = _SPACES.sub(" ", line.replace("|", " "))
    return _SPACE_BEFORE_MARK.sub("", line).strip()


def _host(address: re.Match[str]) -> str:
    """Return the host and the marks of the sentence that stand right after the address."""
    written: str = address.group()
    return address.group(1) + written[len(written.rstrip(".,;:!?)]}>\"'*_`")) :]


def _joined(lines: list[str]) -> str:
    parts: list[str] = []
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        chinese = is_cjk(line[-1])
        pause = "" if not following or line[-1] in _LINE_ENDS else "。" if chinese else "."
        gap = "" if chinese or line[-1] in "。！？，；：、" else " "
        parts += (line, pause, gap)
    return "".join(parts).strip()
