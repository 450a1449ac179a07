"""Transcripts as servers of the OpenAI dialect answer them: `verbose_json`, `json` or bare text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.catalogue.model import Instance
from dispatcher.contracts import Language
from dispatcher.errors import InstanceFailed
from dispatcher.providers.base import Transcript
from dispatcher.providers.http import SHOWN_BYTES, as_object
from dispatcher.providers.refusals import error_in_answer


def read_transcript(instance: Instance, raw: bytes, wanted: Language, *, is_text: bool) -> Transcript:
    """Return what an answer says, in the wanted language where it tells none.

    Args:
        instance: named in errors.
        raw: the whole body.
        wanted: language that was asked for, or "auto".
        is_text: the answer may be bare text; some servers send that whatever was asked for.

    Raises:
        InstanceFailed: it is no transcript.
    """
    answer = _answer(instance, raw, is_text=is_text)
    text = answer.get("text")
    if not isinstance(text, str):
        raise InstanceFailed(instance.name, f"text was {text!r:.{SHOWN_BYTES}}, expected a string")
    return Transcript(
        text=text.strip(),
        language=_language(answer.get("language"), wanted),
        no_speech_ratio=_least(answer, "no_speech_prob"),
        logprob=_least(answer, "avg_logprob"),
    )


def _answer(instance: Instance, raw: bytes, *, is_text: bool) -> Mapping[str, Any]:
    if is_text and not raw.lstrip().startswith((b"{", b"<")):
        return {"text": raw.decode("utf-8", "replace")}
    answer = as_object(instance, raw)
    if answer.get("error") and not isinstance(answer.get("text"), str):
        raise error_in_answer(instance, answer["error"])
    return answer


def _language(said: object, wanted: Language) -> Language:
    """Return the instance's word for the language ("en", "english", "zh", "chinese") as ours."""
    word = said.lower() if isinstance(said, str) else ""
    if word.startswith(("zh", "chinese", "mandarin", "yue")):
        return "zh"
    return "en" if word.startswith("en") else wanted


def _least(answer: Mapping[str, Any], name: str) -> float | None:
    """Return the least of a number that `verbose_json` has for each segment; None where it has none."""
    segments = answer.get("segments")
    if not isinstance(segments, list):
        return None
    found = [each.get(name) for each in segments if isinstance(each, dict)]
    return min((float(each) for each in found if isinstance(each, int | float)), default=None)
