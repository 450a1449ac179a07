"""Runs of one script in a text, one for each voice, and sentences within them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Final

from dispatcher.bundled.engines import SpokenLanguage
from dispatcher.speech_text.cjk import HAN

_LATIN: Final = r"A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_SCRIPT_PART: Final = re.compile(rf"(?P<zh>[{HAN}]+)|(?P<en>[{_LATIN}]+)|(?P<other>[^{HAN}{_LATIN}]+)")
# Digits that stand right before Chinese belong to it: "iPhone 3个" is an iPhone, and three of something.
_TOUCHING: Final = re.compile(r"[\d.:%+\-¥$]*\d[\d.:%]*$")
_SPEAKABLE: Final = re.compile(rf"[{HAN}{_LATIN}\d]")
# The marks that end a sentence or, in a long one, a clause. A point between digits is none.
_SENTENCE: Final = re.compile(r".+?(?:[。！？；…]+[”’」』）]*|[.!?;]+[\"')]*(?=\s|$)|$)\s*", re.DOTALL)
_CLAUSE: Final = re.compile(r".+?(?:[，、：,:]+(?!\d)|$)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRun:
    """A stretch of text for one voice."""

    language: SpokenLanguage
    text: str


def script_runs(text: str, *, default: SpokenLanguage) -> list[ScriptRun]:
    """Return the text in runs of one language each; nothing is lost but what no voice can say.

    Digits and marks go with the run before them, or the one after when there is none before or
    when digits touch it. A text without letters is read in the default language.
    """
    runs: list[ScriptRun] = []
    pending = ""
    for part in _SCRIPT_PART.finditer(text):
        written = part["zh"] or part["en"]
        if written is None:
            pending += part["other"]
            continue
        language: SpokenLanguage = "zh" if part["zh"] else "en"
        before, after = _divided(pending, language) if runs else ("", pending)
        runs, pending = _added(runs, before, ScriptRun(language=language, text=after + written)), ""
    if runs:
        runs = _with_tail(runs, pending)
    elif _SPEAKABLE.search(pending):
        runs = [ScriptRun(language=default, text=pending)]
    return [run for run in runs if _SPEAKABLE.search(run.text)]


def sentences(run: ScriptRun, *, longest: int) -> list[ScriptRun]:
    """Return the run in pieces to synthesize one by one, cut at sentences, and at clauses where too long.

    A clause that is too long itself is cut between words, or where its script has no spaces, anywhere.
    """
    pieces: list[str] = []
    for sentence in _SENTENCE.findall(run.text):
        clauses = [sentence] if len(sentence) <= longest else _CLAUSE.findall(sentence)
        for clause in clauses:
            pieces += [clause] if len(clause) <= longest else textwrap.wrap(clause, longest)
    return [
        ScriptRun(language=run.language, text=piece.strip()) for piece in pieces if _SPEAKABLE.search(piece)
    ]


def _divided(pending: str, following: SpokenLanguage) -> tuple[str, str]:
    """Return what of the signs between two runs goes with the first, and what with the second."""
    touching = _TOUCHING.search(pending) if following == "zh" else None
    return (pending[: touching.start()], touching[0]) if touching else (pending, "")


def _added(runs: list[ScriptRun], before: str, run: ScriptRun) -> list[ScriptRun]:
    runs = _with_tail(runs, before) if runs else runs
    if runs and runs[-1].language == run.language:
        return [*runs[:-1], ScriptRun(language=run.language, text=runs[-1].text + run.text)]
    return [*runs, run]


def _with_tail(runs: list[ScriptRun], tail: str) -> list[ScriptRun]:
    return [*runs[:-1], ScriptRun(language=runs[-1].language, text=runs[-1].text + tail)]
