"""Words of a written reply, as they are spoken and shown: without markup, asides, emoji and addresses."""

from __future__ import annotations

import html
import re
import unicodedata
from itertools import zip_longest
from typing import Final, Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from dispatcher.speech_text.asides import without_asides
from dispatcher.speech_text.block_stream import BlockStream
from dispatcher.speech_text.cjk import CJK, has_cjk, is_cjk
from dispatcher.speech_text.emoji import without_emoji
from dispatcher.speech_text.latex import SUBSCRIPT_DIGITS, SUPERSCRIPT_DIGITS, formula_text
from dispatcher.speech_text.rules import Match

# Markdown is read line by line, since a sentence is all there is of it; and a longer line in parts, so
# that the time grows with its length and no faster.
LONGEST_PART: Final = 2000
_MOST_PASSES: Final = 4

_MARKDOWN: Final = (
    MarkdownIt("commonmark", {"html": True})
    .enable("strikethrough")
    .disable(["code", "fence", "html_block", "reference", "lheading"])
)
_LINE_PART: Final = re.compile(rf"[^\n]{{1,{LONGEST_PART}}}")
# Controls, marks of direction and joining, soft hyphens, variation selectors, private signs; not line ends.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ue000-\uf8ff\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_LINE_SEPARATOR: Final = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_MATHEMATICAL: Final = re.compile("[\U0001d400-\U0001d7ff]+")
# Between letters and digits a star is a sign of arithmetic, not of emphasis: 2*3*4.
_TIMES: Final = re.compile(r"(?<=[A-Za-z0-9)])\*(?=[A-Za-z0-9(])")
# Formulas without the signs around them, and HTML's raised and lowered digits.
_BARE_COMMAND: Final = re.compile(
    r"\\(?:[dt]?frac|sqrt|times|div|cdot|[lg]eq?|neq?|pm|pi|alpha|beta|theta|approx|infty|sum|int|text|mathrm"
    r"|left|right|degree|circ)(?![A-Za-z])(?:\{[^{}\n]{0,80}\}){0,2}"
)
_LOWERED: Final = re.compile(r"<(?P<tag>su[bp])>(?P<digits>\d{1,4})</(?P=tag)>")
_TABLE_RULE: Final = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}[-:| \t]*$", re.MULTILINE)
_CELL_END: Final = re.compile(r"[ \t]*\|[ \t]*")
_CHECK_BOX: Final = re.compile(r"^\s?\[[ xX]\]\s")
_LINK_HALF: Final = re.compile(r"\]\([^()\s]{0,500}\)?|!?\[(?=[^\]\n]*$)")
_ADDRESS: Final = re.compile(
    r"(?:(?:https?|ftp)://(?:www\.)?|\bwww\.)([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8})[!-;=?-~]*"
)
_EMPHASIS: Final = re.compile(
    r"\*{2,}|~~+|`+|(?<![\w)])\*(?=\S)|(?<=\S)\*(?![\w(])|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)|(?<!\w)_{2,}|^#{1,6}\s"
)
_BRACKETS: Final = re.compile(r"[(（\[【<《「]\s?[)）\]】>》」]")
_TIDY: Final = (
    (re.compile(r"[~～]+(?![\d.])"), ""),
    (re.compile(r"\.{4,}"), "..."),
    (re.compile(r"…{2,}|。{2,}"), "……"),
    (re.compile(r"([!！?？,，、;；:：])\1+"), r"\1"),
    (re.compile(r"([?？][!！])(?:[?？!！])+|([!！][?？])[?？!！]+"), r"\1\2"),
    (re.compile(r"—{3,}"), "——"),
    (re.compile(r"[-=_#|*\\/·•]{3,}|\|"), " "),
    (re.compile(r"-{2}"), "—"),
    (re.compile(r"(?<=[A-Za-z])[\u2018\u2019](?=[A-Za-z])"), "'"),
    (re.compile(r"\s+"), " "),
    (
        re.compile(
            rf"(?<=[{CJK}，。！？；：、]) (?=[{CJK}，。！？；：、])|\s+(?=[,.!?;:](?:\s|$)|[，。！？；：、])"
        ),
        "",
    ),
    (re.compile(r"^[\s,，.。;；:：、!！?？)）\]】]+(?=[^\s\d.…])"), ""),
)
_LINE_ENDS: Final = frozenset(".!?。！？…,;:，、；：—")
_TAG: Final = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*)(?P<rest>[^<>]*)>")
_ATTRIBUTES: Final = re.compile(r"[\w:.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+)")
_LINE_TAGS: Final = frozenset("br p li div tr ul ol table h1 h2 h3 h4 h5 h6 hr blockquote".split())
_SHORT_TAGS: Final = frozenset(
    "a b i u s p q em br hr h1 h2 h3 h4 h5 h6 li ul ol dl dt dd td th tr rt rp".split()
)
_MARKUP_SIGNS: Final = str.maketrans(dict.fromkeys("*_`~<>[]|\\#&$†\ue200\ue201", " "))


def clean(markdown: str, *, language: Literal["zh", "en", "auto"] = "auto") -> str:
    """Return the text as it is spoken and shown, on one line; empty when nothing in it can be spoken.

    An address is spoken as the name of its host, code and big formulas as a hint to look at them. Lines
    that end without a mark get one, so that the items of a list and a heading are followed by a pause.

    Args:
        markdown: a reply or a piece of one; constructs that were cut in two leave no signs.
        language: of the hints, where the text itself has no Chinese.
    """
    text = markdown
    for _ in range(_MOST_PASSES):
        cleaned = _cleaned(text, "zh" if has_cjk(text) else language)
        if cleaned == text:
            break
        text = cleaned
    else:
        text = _tidy(text.translate(_MARKUP_SIGNS))
    return text if any(character.isalnum() for character in text) else ""


def _cleaned(text: str, language: Literal["zh", "en", "auto"]) -> str:
    stream = BlockStream(language)
    text = stream.feed(_LINE_SEPARATOR.sub("\n", html.unescape(text))) + stream.finish()
    text = _LOWERED.sub(_digits_there, _BARE_COMMAND.sub(_formula, text))
    text = without_asides(_MATHEMATICAL.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text))
    text = _TABLE_RULE.sub("", without_emoji(_INVISIBLE.sub("", text)))
    text = _TIMES.sub(r"\\*", _as_rows(text))
    lines = [line for part in _LINE_PART.findall(text) for line in _lines(part)]
    return _joined([line for line in map(_tidy, lines) if line])


def _formula(match: Match) -> str:
    return formula_text(match[0]) or ""


def _digits_there(match: Match) -> str:
    return match["digits"].translate(SUPERSCRIPT_DIGITS if match["tag"] == "sup" else SUBSCRIPT_DIGITS)


def _as_rows(text: str) -> str:
    """Return the text with the cells of its tables as parts of a sentence."""
    return "\n".join(_row(line) if "|" in line else line for line in text.split("\n"))


def _row(line: str) -> str:
    cells = [cell for cell in _CELL_END.split(line.strip()) if cell.strip()]
    return ("，" if has_cjk(line) else ", ").join(cells)


def _lines(part: str) -> list[str]:
    """Return a line of Markdown without its markup; several where it has tags that end a line."""
    lines: list[str] = []
    prefix = ""
    for token in _MARKDOWN.parse(part):
        if token.type == "list_item_open":
            prefix += f"{token.info}{token.markup} " if token.info else ""
        elif token.type == "inline":
            text = _CHECK_BOX.sub("", _inline(token.children or []))
            lines += (prefix + text).split("\n")
            prefix = ""
    if prefix:
        lines.append(prefix)
    return lines


def _inline(tokens: list[Token]) -> str:
    return "".join(
        _spoken_tag(token.content) if token.type == "html_inline" else token.content for token in tokens
    )


def _spoken_tag(tag: str) -> str:
    """Return what is said for a tag: nothing or a line end; a comparison (a<b and c>d) as it is."""
    found = _TAG.fullmatch(tag)
    if found is None:
        # A comment, a declaration, an instruction.
        return ""
    name = found["name"].lower()
    bare = _ATTRIBUTES.sub("", found["rest"]).strip(" /\n\t")
    if bare or (len(name) < 3 and name not in _SHORT_TAGS):
        return tag
    return "\n" if name in _LINE_TAGS else ""


def _tidy(line: str) -> str:
    line = _LINK_HALF.sub("", _ADDRESS.sub(_host, line))
    line = _BRACKETS.sub("", _EMPHASIS.sub("", line))
    for pattern, instead in _TIDY:
        line = pattern.sub(instead, line)
    return line.strip()


def _host(address: Match) -> str:
    """Return the host and the marks of the sentence that stand right after the address."""
    written: str = address[0]
    return address[1] + written[len(written.rstrip(".,;:!?)]}>\"'*_`")) :]


def _joined(lines: list[str]) -> str:
    parts: list[str] = []
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        chinese = is_cjk(line[-1])
        pause = "" if not following or line[-1] in _LINE_ENDS else "。" if chinese else "."
        gap = "" if chinese or line[-1] in "。！？，；：、" else " "
        parts += (line, pause, gap)
    return "".join(parts).strip()
