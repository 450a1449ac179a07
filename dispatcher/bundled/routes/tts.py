"""POST /v1/audio/speech."""

from __future__ import annotations

from contextlib import aclosing
from typing import Final, Literal

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from dispatcher.audio.wav import wav_bytes
from dispatcher.bundled.engines import SPEECH_RATE_HZ, Language, TtsEngine
from dispatcher.bundled.refusals import refusal_of
from dispatcher.bundled.routes.stream import stream
from dispatcher.bundled.running import Running

# The format of the samples in full: the dialect's "pcm" says neither rate nor width.
_PCM_HEADERS: Final = {
    "Content-Type": "audio/pcm",
    "X-Audio-Format": f"s16le; rate={SPEECH_RATE_HZ}; channels=1",
    "X-Accel-Buffering": "no",
}


class SpeechRequest(BaseModel):
    """What of a request is read; there is one voice for each language, whatever `voice` says."""

    input: str = Field(min_length=1, max_length=4096)
    response_format: Literal["pcm", "wav"] = "wav"
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    language: Language = "auto"


class TtsRoutes:
    """What a TTS instance answers."""

    # The longest input with every character escaped, and room for the rest.
    MAX_BODY_BYTES: Final = 64 * 1024

    def __init__(self, running: Running[TtsEngine]) -> None:
        """Speak with the engine of this instance."""
        self._running = running

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_post("/v1/audio/speech", self.speak)

    async def speak(self, request: web.Request) -> web.StreamResponse:
        """Answer the speech: PCM as it is made, a WAV file when it is whole."""
        with self._running.call() as engine:
            asked = _read(await request.read())
            speech = engine.speak(asked.input, language=asked.language, speed=asked.speed)
            if asked.response_format == "pcm":
                return await stream(request, speech, headers=_PCM_HEADERS)
            async with aclosing(speech):
                pcm = b"".join([piece async for piece in speech])
        return web.Response(body=wav_bytes(pcm, SPEECH_RATE_HZ), content_type="audio/wav")


def _read(body: bytes) -> SpeechRequest:
    try:
        return SpeechRequest.model_validate_json(body)
    except ValidationError as error:
        raise refusal_of(error) from error
