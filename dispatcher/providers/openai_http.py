"""The OpenAI HTTP dialect: Ollama, vLLM, llama.cpp, DashScope, faster-whisper servers and our own.

Source: OpenAI API reference, audio/transcriptions, chat/completions with server-sent events, audio/speech.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import aiohttp
from yarl import URL

from dispatcher.catalogue.model import Instance
from dispatcher.contracts import REPLY_RATE_HZ, Language, SpeechFormat
from dispatcher.conversation.history import Message
from dispatcher.conversation.tools import ChatPiece, Tool
from dispatcher.errors import InstanceFailed, InstanceForbidden
from dispatcher.providers import openai_tools
from dispatcher.providers.base import Reported, Transcript
from dispatcher.providers.http import (
    MAX_LINE_BYTES,
    SHOWN_BYTES,
    as_object,
    bearer_headers,
    let_end,
    raise_for_status,
    read_bounded,
    wire_errors,
)
from dispatcher.providers.reported import read_report
from dispatcher.providers.speech import Form, decoded

CHECK_TIMEOUT_S: Final = 5.0
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
DEFAULT_MODELS: Final = {"asr": "whisper-1", "llm": "default", "tts": "tts-1"}


class OpenAiHttp:
    """Calls instances that speak the OpenAI dialect."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Use the session of the running loop; the caller closes it."""
        self._session = session

    async def transcribe(self, instance: Instance, wav: bytes, language: Language) -> Transcript:
        """Return what is said in the WAV; the instance's configured language wins over the device's."""
        form = aiohttp.FormData()
        form.add_field("file", wav, filename="utterance.wav", content_type="audio/wav")
        form.add_field("model", _model(instance))
        form.add_field("response_format", "verbose_json")
        wanted = instance.language or language
        if wanted != "auto":
            form.add_field("language", wanted)
        async with self._post(instance, "/audio/transcriptions", data=form) as response:
            answer = as_object(instance, await read_bounded(instance, response))
        text = answer.get("text")
        if not isinstance(text, str):
            raise InstanceFailed(instance.name, f"text was {text!r:.{SHOWN_BYTES}}, expected a string")
        return Transcript(text=text.strip(), language=_language(answer.get("language"), wanted))

    async def chat(
        self, instance: Instance, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[ChatPiece, None]:
        """Yield the reply's text as its events come; calls of tools are whole when the stream is over."""
        body: dict[str, Any] = {
            "model": _model(instance),
            "stream": True,
            "messages": [openai_tools.message_body(message) for message in messages],
        }
        if tools:
            body["tools"] = [openai_tools.tool_body(tool) for tool in tools]
        calls = openai_tools.CallJoiner(instance)
        async with self._post(instance, "/chat/completions", json=body) as response:
            async for event in _events(instance, response):
                delta = _delta(instance, event)
                calls.feed(delta.get("tool_calls"))
                piece = _text(instance, delta)
                if piece:
                    yield piece
        for call in calls.finish():
            yield call

    async def synthesize(
        self, instance: Instance, text: str, language: Language
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech as it comes, decoded where it is no PCM."""
        body: dict[str, Any] = {
            "model": _model(instance),
            "input": text,
            "voice": instance.voice or "default",
            "response_format": instance.format or "pcm",
        }
        wanted = instance.language or language
        if wanted != "auto":
            body["language"] = wanted
        async with self._post(instance, "/audio/speech", json=body) as response:
            pieces = decoded(instance, _slices(response), await _form(instance, response))
            async with aclosing(pieces):
                async for pcm in pieces:
                    yield pcm

    async def check(self, instance: Instance) -> Reported:
        """Return what /health reports, or nothing where /models has to answer in its place."""
        async with wire_errors(instance), asyncio.timeout(CHECK_TIMEOUT_S):
            try:
                health = str(URL(instance.endpoint).with_path("/health"))
                async with self._get(instance, health) as response:
                    return await read_report(instance, response)
            except InstanceForbidden:
                async with self._get(instance, instance.endpoint + "/models"):
                    return Reported()

    @asynccontextmanager
    async def _post(
        self, instance: Instance, path: str, **body: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with (
            wire_errors(instance),
            self._session.post(
                instance.endpoint + path, headers=bearer_headers(instance), **body
            ) as response,
        ):
            await raise_for_status(instance, response)
            yield response

    @asynccontextmanager
    async def _get(self, instance: Instance, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
        async with (
            wire_errors(instance),
            self._session.get(url, headers=bearer_headers(instance)) as response,
        ):
            await raise_for_status(instance, response)
            yield response


def _model(instance: Instance) -> str:
    return instance.model or DEFAULT_MODELS[instance.service]


def _language(said: object, wanted: Language) -> Language:
    """Return the instance's word for the language ("en", "english", "zh", "chinese") as ours."""
    word = said.lower() if isinstance(said, str) else ""
    if word.startswith(("zh", "chinese", "mandarin", "yue")):
        return "zh"
    return "en" if word.startswith("en") else wanted


async def _form(instance: Instance, response: aiohttp.ClientResponse) -> Form:
    """Return how speech is sent, by its type and the rate that may stand beside it."""
    kind = response.content_type
    if kind.startswith(_NO_SPEECH):
        shown = (await response.content.read(SHOWN_BYTES))[:SHOWN_BYTES]
        raise InstanceFailed(instance.name, f"speech came as {kind}, expected audio/pcm: {shown!r}")
    rate = re.search(r"\brate=(\d{4,6})\b", response.headers.get("Content-Type", ""))
    return Form(
        kind=_KINDS.get(kind, instance.format or "pcm"),
        sample_rate_hz=int(rate[1]) if rate else REPLY_RATE_HZ,
        certain=_KINDS.get(kind) == "pcm",
    )


async def _slices(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async for piece in response.content.iter_any():
        yield piece


async def _events(instance: Instance, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the data of each server-sent event; comments keep a line open and say nothing."""
    rest, begun, seen = b"", b"", False
    async for part in response.content.iter_any():
        begun = begun or part[:SHOWN_BYTES]
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            event = line[5:].strip()
            if event == b"[DONE]":
                await let_end(response)
                return
            seen = True
            yield event
        if len(rest) > MAX_LINE_BYTES:
            raise InstanceFailed(instance.name, f"a line of the stream is over {MAX_LINE_BYTES} bytes")
    if not seen:
        raise InstanceFailed(instance.name, f"the stream held no event, it began with {begun!r}")


def _delta(instance: Instance, event: bytes) -> dict[str, Any]:
    """Return what one chunk adds; a chunk may add nothing (the role, the usage)."""
    chunk = as_object(instance, event)
    if chunk.get("error"):
        raise InstanceFailed(instance.name, f"the stream said {chunk['error']!r:.{SHOWN_BYTES}}")
    try:
        choices = chunk["choices"]
        delta = choices[0]["delta"] if choices else {}
    except (KeyError, IndexError, TypeError) as error:
        raise InstanceFailed(instance.name, f"chunk was {event[:SHOWN_BYTES]!r}") from error
    if not isinstance(delta, dict):
        raise InstanceFailed(instance.name, f"chunk was {event[:SHOWN_BYTES]!r}")
    return delta


def _text(instance: Instance, delta: dict[str, Any]) -> str:
    text = delta.get("content") or ""
    if not isinstance(text, str):
        raise InstanceFailed(instance.name, f"content was {text!r:.{SHOWN_BYTES}}, expected a string")
    return text
