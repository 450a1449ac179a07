"""Speech by the OpenAI dialect, in whichever form the server has.

Source: OpenAI API reference, audio/speech.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

import aiohttp

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceFailed
from dispatcher.messages import REPLY_RATE_HZ, Language, SpeechFormat
from dispatcher.providers.http import SHOWN_BYTES
from dispatcher.providers.negotiation import Negotiation, parameter
from dispatcher.providers.openai_http import MAX_GUESSES, OpenAiServer, model_of
from dispatcher.providers.tts.speech_decoder import Form, decoded

# Some servers send speech without a type, or under an odd one: then it is what was asked for.
_KINDS: Final[dict[str, SpeechFormat]] = {
    **dict.fromkeys(("audio/mpeg", "audio/mp3", "audio/mpeg3", "audio/x-mpeg"), "mp3"),
    **dict.fromkeys(("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"), "wav"),
    **dict.fromkeys(("audio/ogg", "audio/opus", "application/ogg"), "opus"),
    **dict.fromkeys(("audio/pcm", "audio/l16"), "pcm"),
}
# Played as PCM these would be a loud noise.
_NO_SPEECH: Final = (
    *("text/", "application/json", "application/xml", "video/"),
    *("audio/aac", "audio/flac", "audio/mp4", "audio/webm"),
)
# Half a second of PCM, or the first frame of the largest WAV. After that a device has speech to play, and
# what comes in a moment is read together: each read costs as much as an encoded frame.
HEAD_BYTES: Final = 24_576
READ_PAUSE_S: Final = 0.05


class OpenAiSpeech(OpenAiServer):
    """Calls TTS instances of the OpenAI dialect."""

    def synthesize(self, instance: Instance, text: str, language: Language) -> AsyncGenerator[bytes, None]:
        """Return the speech as it comes, decoded where it is no PCM."""
        return self._negotiated(instance, text, language, may_pass=False)

    def synthesize_packets(
        self, instance: Instance, text: str, language: Language
    ) -> AsyncGenerator[bytes, None]:
        """Return the speech as it comes, as OpusPackets where it is Opus that a device plays."""
        return self._negotiated(instance, text, language, may_pass=True)

    async def _negotiated(
        self, instance: Instance, text: str, language: Language, *, may_pass: bool
    ) -> AsyncGenerator[bytes, None]:
        wanted = instance.language or language
        asked = dict.fromkeys((instance.format or "pcm", "wav", "mp3"))
        formats = [parameter("response_format", each, words="format|pcm", shown=True) for each in asked]
        languages = [] if wanted == "auto" else [parameter("language", wanted)]
        negotiation = Negotiation(self.refused, instance, [formats, languages], guesses=MAX_GUESSES)
        async with aclosing(
            negotiation.run(lambda: self._speech(instance, text, negotiation, may_pass=may_pass))
        ) as speech:
            async for pcm in speech:
                yield pcm

    async def _speech(
        self, instance: Instance, text: str, negotiation: Negotiation, *, may_pass: bool
    ) -> AsyncGenerator[bytes, None]:
        body: dict[str, Any] = {
            "model": model_of(instance),
            "input": text,
            "voice": instance.voice or "default",
            **negotiation.fields,
            **instance.extra_body,
        }
        async with self.post(instance, "/audio/speech", json=body) as response:
            form = await _form(instance, response, body.get("response_format", "mp3"))
            form = replace(form, may_pass=may_pass)
            negotiation.settle()
            async with aclosing(decoded(instance, _parts(response.content), form)) as speech:
                async for pcm in speech:
                    negotiation.accept()
                    yield pcm


async def _form(instance: Instance, response: aiohttp.ClientResponse, asked: SpeechFormat) -> Form:
    """Return how speech is sent, by its type and the rate that may stand beside it."""
    kind = response.content_type
    if kind.startswith(_NO_SPEECH):
        shown = (await response.content.read(SHOWN_BYTES))[:SHOWN_BYTES]
        reason = f"speech came as {kind}, expected audio/pcm: {shown!r}"
        raise InstanceFailed(instance.name, reason, said=shown.decode("utf-8", "replace"))
    header = response.headers.get("Content-Type", "")
    rate = re.search(r"\brate=\"?(\d{4,6})\b", header)
    channels = re.search(r"\bchannels=\"?([12])\b", header)
    return Form(
        kind=_KINDS.get(kind, asked or "pcm"),
        sample_rate_hz=int(rate[1]) if rate else REPLY_RATE_HZ,
        channels=int(channels[1]) if channels else 1,
        certain=_KINDS.get(kind) == "pcm",
    )


async def _parts(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Yield a body: its head as it comes, then what has come after each pause, and its end at once."""
    wake_up = asyncio.Event()
    content.on_eof(wake_up.set)
    head_bytes = 0
    async for part in content.iter_any():
        yield part
        head_bytes += len(part)
        if head_bytes >= HEAD_BYTES and not content.is_eof():
            timer = asyncio.get_running_loop().call_later(READ_PAUSE_S, wake_up.set)
            await wake_up.wait()
            wake_up.clear()
            timer.cancel()
