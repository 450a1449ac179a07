"""Transcription by the OpenAI dialect: `verbose_json`, `json` or bare text, whichever the model has.

Servers around FunASR, SenseVoice and whisper.cpp wrap the text in a list, in `result` or in `data`; some
stream it as events whatever was asked for.
Source: OpenAI API reference, audio/transcriptions.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import aiohttp

from dispatcher.bounded_json import read_json
from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError, InstanceFailed
from dispatcher.messages import Language
from dispatcher.providers.event_stream import EventStreamDecoder
from dispatcher.providers.http import SHOWN_BYTES, as_object, read_bounded
from dispatcher.providers.negotiation import Negotiation, parameter
from dispatcher.providers.openai_http import MAX_GUESSES, OpenAiServer, model_of
from dispatcher.providers.protocols import Transcript
from dispatcher.providers.refusals import error_in_answer

# Of the first form speech that is none can be told apart; a few models have the last one only.
TRANSCRIPT_FORMATS: Final = ("verbose_json", "json", "text")

_TEXT_FIELDS: Final = (
    "text",
    "transcript",
    "transcription",
    "result",
    "results",
    "data",
    "segments",
    "sentences",
)
_DEEPEST: Final = 4
# Seconds, or the logarithm of a probability: a whole number of hundreds of digits makes no float.
_MOST: Final = 1e6


class OpenAiTranscription(OpenAiServer):
    """Calls ASR instances of the OpenAI dialect."""

    async def transcribe(self, instance: Instance, wav: bytes, language: Language) -> Transcript:
        """Return what is said in the WAV; the instance's configured language wins over the device's."""
        wanted = instance.language or language
        formats = [
            parameter("response_format", each, words="response.?format|verbose_json", shown=True)
            for each in TRANSCRIPT_FORMATS
        ]
        languages = [] if wanted == "auto" else [parameter("language", wanted)]
        negotiation = Negotiation(self.refused, instance, [formats, languages], guesses=MAX_GUESSES)

        async def transcripts() -> AsyncGenerator[Transcript, None]:
            fields = negotiation.fields
            form = _form(instance, wav, fields)
            async with self.post(instance, "/audio/transcriptions", data=form) as response:
                raw = await read_bounded(instance, response)
            is_text = response.content_type == "text/plain" or fields.get("response_format") == "text"
            transcript = read_transcript(instance, raw, wanted, is_text=is_text)
            negotiation.accept()
            yield transcript

        async with aclosing(negotiation.run(transcripts)) as found:
            return await anext(found)


def _form(instance: Instance, wav: bytes, fields: Mapping[str, Any]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", wav, filename="utterance.wav", content_type="audio/wav")
    form.add_field("model", model_of(instance))
    for name, value in {**fields, **instance.extra_body}.items():
        form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    return form


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
    text = _text_in(answer)
    if text is None:
        raise _no_transcript(instance, raw, answer)
    return Transcript(
        text=text.strip(),
        language=_language(answer.get("language"), wanted),
        no_speech_ratio=_least(answer, "no_speech_prob"),
        logprob=_least(answer, "avg_logprob"),
        billed_s=_billed_s(answer.get("usage")),
    )


def _answer(instance: Instance, raw: bytes, *, is_text: bool) -> Mapping[str, Any]:
    if raw.startswith((b"data:", b"event:")):
        return _last_event(raw)
    if raw.lstrip().startswith((b"[", b'"')) and (listed := _parsed(raw)):
        return {"text": listed}
    if is_text and not raw.lstrip().startswith((b"{", b"<")):
        return {"text": raw.decode("utf-8", "replace")}
    answer = as_object(instance, raw)
    if answer.get("error") and not isinstance(answer.get("text"), str):
        raise error_in_answer(instance, answer["error"])
    return answer


def _last_event(raw: bytes) -> Mapping[str, Any]:
    """Return the last event that has a text; pieces before it are parts of that text (OpenAI, `stream`)."""
    decoder = EventStreamDecoder()
    events = [each for each in [*decoder.feed(raw), *decoder.finish()] if isinstance(each, dict)]
    whole = [each for each in events if isinstance(each.get("text"), str) or each.get("error")]
    pieces = "".join(str(each["delta"]) for each in events if isinstance(each.get("delta"), str))
    return whole[-1] if whole else {"text": pieces} if pieces else {}


def _parsed(raw: bytes) -> Any:
    try:
        return read_json(raw)
    except ValueError:
        return None


def _text_in(value: Any, depth: int = 0) -> str | None:
    """Return the text of an answer, wherever it stands; None where there is none."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return None
    if isinstance(value, list):
        texts = [text for each in value if (text := _text_in(each, depth + 1)) is not None]
        return " ".join(text.strip() for text in texts) if texts or not value else None
    if isinstance(value, Mapping):
        # A text in `data` may be anything, and an error as well.
        parts = [value[key] for key in _TEXT_FIELDS if value.get(key) is not None]
        parts = [each for each in parts if each is not value.get("data") or not isinstance(each, str)]
        found = (_text_in(each, depth + 1) for each in parts)
        return next((text for text in found if text is not None), None)
    return None


def _no_transcript(instance: Instance, raw: bytes, answer: Mapping[str, Any]) -> InstanceError:
    """Return the error that an answer is: one under HTTP 200, or another form."""
    if answer.get("error"):
        return error_in_answer(instance, answer["error"])
    shown = raw[:SHOWN_BYTES].decode("utf-8", "replace")
    return InstanceFailed(instance.name, f"answer has no text: {shown}")


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
    return min(
        (float(each) for each in found if isinstance(each, int | float) and abs(each) < _MOST), default=None
    )


def _billed_s(usage: Any) -> float | None:
    """Return the seconds of a usage by duration; usage by tokens says nothing of them."""
    seconds = usage.get("seconds") if isinstance(usage, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if 0 <= seconds < _MOST else None
