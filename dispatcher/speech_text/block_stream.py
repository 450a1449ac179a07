"""Fenced code and formulas in a streamed reply, which are for the eye: taken out as they come.

Such a block may be cut into any number of chunks and hold any number of sentences; so it is taken out
before the reply is cut into sentences. Where a block begins and ends depends on the text alone, not on
how it was chunked.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from dispatcher.speech_text.cjk import has_cjk
from dispatcher.speech_text.latex import formula_text

# What is held back to find the end of a formula, or of the line that opens a fence.
LONGEST_HELD: Final = 500
LONGEST_INLINE: Final = 120

_OPENER: Final = re.compile(r"`{3,}|(?:(?<=\n)|^)~{3,}|\$\$?|\\[(\[]|\\begin\{|<!--")
_OPENER_BEGUN: Final = re.compile(r"(?:`+|~+|\$+|\\(?:b(?:e(?:g(?:i(?:n)?)?)?)?)?|<(?:!-?)?)$")
# What no short formula goes over.
_FORMULA_STOP: Final = re.compile(r"[\n。，！？；]")
_CLOSERS: Final = {"$": "$", "$$": "$$", "\\[": "\\]", "\\(": "\\)", "\\begin{": "\\end{"}
_PROSE: Final = frozenset({"markdown", "md"})
# $5, $1,299.99: a price, unless it is the beginning of a sum.
_PRICE: Final = re.compile(r"\$\d[\d,]*(?:\.\d+)?(?P<next>\s*[^\s\d.,]?)")
_ANYTHING: Final = re.compile("")
_CODE: Final = {"zh": "代码请看屏幕。", "en": "See the text for the code."}
_FORMULA: Final = {"zh": "公式请看屏幕。", "en": "See the text for the formula."}


class BlockStream:
    """One reply without code and formulas; in their place a hint to look, or the formula in words."""

    def __init__(self, language: Literal["zh", "en", "auto"] = "auto") -> None:
        """Begin with a new reply.

        Args:
            language: of what is said instead, as long as the reply has not shown its own.
        """
        self._language: Literal["zh", "en"] = "zh" if language == "zh" else "en"
        self._held = ""
        self._at_start = True
        self._closing: str | None = None
        self._prose_fence: str | None = None
        self._final = False

    def feed(self, text: str) -> str:
        """Return what of the reply is certain to be text."""
        self._held += text
        said: list[str] = []
        while (step := self._step()) is not None:
            said.append(step)
        return "".join(said)

    def finish(self) -> str:
        """Return the rest, when the reply has ended."""
        self._final = True
        rest = self.feed("")
        self._final = False
        return rest

    def _step(self) -> str | None:
        """Return the next bit of text, which may be empty; None when it depends on text to come."""
        if not self._held:
            return None
        if self._closing is not None:
            return self._skip(self._closing)
        found = _OPENER.search(self._held)
        if found is None or (found[0].strip().startswith("~") and not found.start() and not self._at_start):
            begun = None if found or self._final else _OPENER_BEGUN.search(self._held[-LONGEST_INLINE:])
            return self._give(found.end() if found else len(self._held) - len(begun[0] if begun else ""))
        if found.start():
            return self._give(found.start())
        opener = found[0].strip()
        if found.end() == len(self._held) and not self._final and opener[0] in "`~$":
            return None
        return self._open(opener, found.end())

    def _give(self, end: int) -> str | None:
        text, self._held = self._held[:end], self._held[end:]
        if not text:
            return None
        self._at_start = text.endswith("\n")
        if has_cjk(text):
            self._language = "zh"
        return text

    def _open(self, opener: str, end: int) -> str | None:
        if opener[0] in "`~":
            return self._open_fence(opener, end)
        if opener == "<!--":
            self._held, self._closing = self._held[end:], "-->"
            return ""
        if opener == "$" and (price := _PRICE.match(self._held)):
            if price.end() == len(self._held) and not self._final and len(price[0]) < LONGEST_INLINE:
                return None
            following = price["next"].strip()
            if not following or following not in "+-*/=^_\\{(<>$":
                return self._give(price.end("next") - len(price["next"]))
        return self._open_formula(opener, end)

    def _open_fence(self, opener: str, end: int) -> str | None:
        window = self._held[: end + LONGEST_HELD]
        line_end, inline_end = window.find("\n", end), window.find(opener, end)
        if inline_end >= 0 and not 0 <= line_end < inline_end:
            return self._inline_code(opener, end, inline_end)
        if line_end < 0:
            if len(window) < end + LONGEST_HELD and not self._final:
                return None
            # A line as long as that is no name of a language.
            return self._give(end)
        info = self._held[end:line_end].strip().lower()
        self._held, self._at_start = self._held[line_end:], False
        if self._prose_fence == opener[0] and not info:
            self._prose_fence = None
            return ""
        if info in _PROSE:
            self._prose_fence = opener[0]
            return ""
        self._closing = opener
        return f"\n{_CODE[self._language]}\n"

    def _inline_code(self, opener: str, end: int, inline_end: int) -> str | None:
        if self._is_cut_in(opener[0], inline_end):
            return None
        code = self._held[end:inline_end].replace("`", "").strip()
        self._held = self._held[inline_end:].lstrip(opener[0])
        self._at_start = False
        return code

    def _is_cut_in(self, sign: str, at: int) -> bool:
        """Return whether the run of signs at the place may go on in the next chunk."""
        return not self._final and not self._held[at:].strip(sign)

    def _open_formula(self, opener: str, end: int) -> str | None:
        is_short = opener in ("$", "\\(")
        longest = LONGEST_INLINE if is_short else LONGEST_HELD
        window = self._held[: end + longest]
        stop = _FORMULA_STOP.search(window, end) if is_short else None
        close = window.find(_CLOSERS[opener], end, stop.start() if stop else None)
        if opener == "$" and close >= 0:
            if self._is_cut_in("$", close):
                return None
            close = close if _is_formula(self._held, end, close) else -1
            stop = stop or _ANYTHING.search(window)
        if close >= 0:
            return self._formula(opener, end, close)
        if (
            not self._final
            and stop is None
            and len(window) < end + longest
            and not (opener == "$" and self._held[end : end + 1].isspace())
        ):
            return None
        if opener == "$":
            return self._give(end)
        self._held = self._held[end:]
        if not is_short:
            self._closing = _CLOSERS[opener]
        return "" if is_short else _FORMULA[self._language] + "\n"

    def _formula(self, opener: str, end: int, close: int) -> str:
        text = None if opener == "\\begin{" else formula_text(self._held[end:close])
        self._held = self._held[close + len(_CLOSERS[opener]) :]
        self._at_start = False
        if opener == "\\begin{":
            self._closing = "}"
        return _FORMULA[self._language] if text is None else text

    def _skip(self, closer: str) -> str | None:
        at = self._held.find(closer)
        if at < 0:
            self._held = "" if self._final else self._held[max(0, len(self._held) - len(closer) + 1) :]
            return None
        if closer[0] in "`~":
            if self._is_cut_in(closer[0], at):
                self._held = self._held[at:]
                return None
            self._held = self._held[at:].lstrip(closer[0])
        else:
            self._held = self._held[at + len(closer) :]
        self._closing = "}" if closer == "\\end{" else None
        self._at_start = False
        return ""


def _is_formula(text: str, start: int, close: int) -> bool:
    """Return whether what stands between two dollar signs may be a formula, and not two prices."""
    body = text[start:close]
    if not body.strip() or body[0].isspace() or body[-1].isspace():
        return False
    return not text[close + 1 : close + 2].isdigit()
