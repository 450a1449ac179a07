"""POST /v1/audio/transcriptions."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web
from pydantic import BaseModel, Field, field_validator

from dispatcher.bundled.engines import AsrEngine, Language
from dispatcher.bundled.request_errors import RequestError, read_model
from dispatcher.bundled.routes.multipart_form import read_form
from dispatcher.bundled.served_engine import ServiceRoute
from dispatcher.errors import AudioError

# The dialect's own names of languages, as some clients send them.
_LANGUAGE_CODES: Final = {"": "auto", "english": "en", "chinese": "zh", "mandarin": "zh"}


class TranscriptionForm(BaseModel):
    """The text fields of the form; the name of the model is ignored, for there is one."""

    language: Language = "auto"
    prompt: str = Field(default="", max_length=1000)
    response_format: Literal["json", "verbose_json"] = "json"

    @field_validator("language", mode="before")
    @classmethod
    def short_language(cls, value: str) -> str:
        """Return "en" for "en-GB" or "English", and the like for Chinese."""
        word = value.strip().lower()
        return _LANGUAGE_CODES.get(word, word.replace("_", "-").split("-")[0])


async def answer_transcription(engine: AsrEngine, request: web.Request) -> web.Response:
    """Answer the words in the file, their language, and the length of the file."""
    fields = read_form(await request.read(), request.headers.get("Content-Type", ""))
    texts = {name: fields[name].decode("utf-8", "replace") for name in fields if name != "file"}
    form = read_model(TranscriptionForm, texts)
    if not fields.get("file"):
        raise RequestError("file is missing; expected a WAV file", param="file", code="missing")
    try:
        result = await engine.transcribe(fields["file"], language=form.language, prompt=form.prompt)
    except AudioError as error:
        raise RequestError(f"file: {error}", param="file", code="invalid_value") from error
    answer = {"text": result.text, "language": result.language, "duration": round(result.duration_s, 3)}
    if form.response_format == "verbose_json":
        answer["task"] = "transcribe"
    return web.json_response(answer)


TRANSCRIPTION: Final = ServiceRoute(
    path="/v1/audio/transcriptions",
    # A minute of stereo at 48 kHz is half of this.
    max_body_bytes=25 * 1024 * 1024,
    answer=answer_transcription,
)
