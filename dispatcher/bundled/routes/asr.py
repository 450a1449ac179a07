"""POST /v1/audio/transcriptions."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError, field_validator

from dispatcher.bundled.engines import AsrEngine, Language
from dispatcher.bundled.refusals import RequestRefused, refusal_of
from dispatcher.bundled.routes.form import read_form
from dispatcher.bundled.running import Running
from dispatcher.errors import AudioError

# The dialect's own names of languages, as some clients send them.
_LANGUAGES: Final = {"": "auto", "english": "en", "chinese": "zh", "mandarin": "zh"}


class TranscriptionForm(BaseModel):
    """The text fields of the form; the model's name is read by nobody, for there is one model."""

    language: Language = "auto"
    prompt: str = Field(default="", max_length=1000)
    response_format: Literal["json", "verbose_json"] = "json"

    @field_validator("language", mode="before")
    @classmethod
    def short_language(cls, value: str) -> str:
        """Return "en" for "en-GB" or "English", and the like for Chinese."""
        word = value.strip().lower()
        return _LANGUAGES.get(word, word.replace("_", "-").split("-")[0])


class AsrRoutes:
    """What an ASR instance answers."""

    # A minute of stereo at 48 kHz is half of this.
    MAX_BODY_BYTES: Final = 25 * 1024 * 1024

    def __init__(self, running: Running[AsrEngine]) -> None:
        """Transcribe with the engine of this instance."""
        self._running = running

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post("/v1/audio/transcriptions", self.transcribe)

    async def transcribe(self, request: web.Request) -> web.Response:
        """Answer what is said in the file, in which language, and how long the file is."""
        with self._running.call() as engine:
            fields = read_form(await request.read(), request.headers.get("Content-Type", ""))
            form = _read_fields(fields)
            if not fields.get("file"):
                raise RequestRefused("file is missing; expected a WAV file", param="file", code="missing")
            try:
                heard = await engine.transcribe(fields["file"], language=form.language, prompt=form.prompt)
            except AudioError as error:
                raise RequestRefused(f"file: {error}", param="file", code="invalid_value") from error
        answer = {"text": heard.text, "language": heard.language, "duration": round(heard.duration_s, 3)}
        if form.response_format == "verbose_json":
            answer["task"] = "transcribe"
        return web.json_response(answer)


def _read_fields(fields: dict[str, bytes]) -> TranscriptionForm:
    texts = {
        name: fields[name].decode("utf-8", "replace")
        for name in TranscriptionForm.model_fields
        if name in fields
    }
    try:
        return TranscriptionForm.model_validate(texts)
    except ValidationError as error:
        raise refusal_of(error) from error
