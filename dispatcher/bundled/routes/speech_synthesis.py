"""POST /v1/audio/speech."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from dispatcher.audio.wav import wav_bytes
from dispatcher.bundled.engines import SPEECH_RATE_HZ, Language, TtsEngine
from dispatcher.bundled.request_errors import read_model
from dispatcher.bundled.routes.streamed_response import stream
from dispatcher.bundled.served_engine import ServiceRoute

# The format of the samples in full: the dialect's "pcm" says neither rate nor width.
_PCM_HEADERS: Final = {
    "Content-Type": "audio/pcm",
    "X-Audio-Format": f"s16le; rate={SPEECH_RATE_HZ}; channels=1",
    "X-Accel-Buffering": "no",
}


class SpeechRequest(BaseModel):
    """Fields of a request that are read; `voice` is only where the engine has one of that name."""

    input: str = Field(min_length=1, max_length=4096)
    response_format: Literal["pcm", "wav"] = "wav"
    voice: Any = ""
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    language: Language = "auto"


async def answer_speech(engine: TtsEngine, request: web.Request) -> web.StreamResponse:
    """Answer the speech: PCM as it is made, a WAV file when it is whole."""
    wanted = read_model(SpeechRequest, await request.read())
    voice = wanted.voice if isinstance(wanted.voice, str) else ""
    speech = engine.speak(wanted.input, language=wanted.language, speed=wanted.speed, voice=voice)
    if wanted.response_format == "pcm":
        return await stream(request, speech, headers=_PCM_HEADERS)
    async with aclosing(speech):
        pcm = b"".join([piece async for piece in speech])
    return web.Response(body=wav_bytes(pcm, SPEECH_RATE_HZ), content_type="audio/wav")


# The longest input with every character escaped, and room for the rest.
SPEECH: Final = ServiceRoute(path="/v1/audio/speech", max_body_bytes=64 * 1024, answer=answer_speech)
