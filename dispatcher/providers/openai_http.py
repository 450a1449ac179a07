"""The OpenAI HTTP dialect: Ollama, vLLM, llama.cpp, DashScope, faster-whisper servers and our own.

Source: OpenAI API reference, audio/transcriptions, chat/completions with server-sent events, audio/speech.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp
from yarl import URL

from dispatcher.catalogue.model import Instance
from dispatcher.contracts import Language
from dispatcher.conversation.history import Message
from dispatcher.errors import (
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceRefused,
    InstanceUnreachable,
)
from dispatcher.providers.base import Reported, Transcript
from dispatcher.providers.reported import read_report

MAX_ANSWER_BYTES: Final = 1_000_000
MAX_LINE_BYTES: Final = 256_000
SHOWN_BYTES: Final = 200
CHECK_TIMEOUT_S: Final = 5.0
# A stream ends a moment after it says so; who leaves before that loses the connection for the next call.
END_TIMEOUT_S: Final = 0.1
_TOO_BUSY: Final = (429, 503)
_FORBIDDEN: Final = (401, 402, 403, 404)
# Played as PCM these would be a loud noise. Some servers send PCM without a type, or under an odd one.
_NOT_PCM: Final = (
    *("text/", "application/json", "audio/aac", "audio/flac", "audio/mp", "audio/ogg", "audio/opus"),
    *("audio/wav", "audio/webm", "audio/x-wav"),
)
DEFAULT_MODELS: Final = {"asr": "whisper-1", "llm": "default", "tts": "tts-1"}


def new_session() -> aiohttp.ClientSession:
    """Return the session that all calls of one event loop share; its pool keeps connections warm."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ttl_dns_cache=60),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=256 * 1024,
    )


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
            answer = _as_object(instance, await _read(instance, response))
        text = answer.get("text")
        if not isinstance(text, str):
            raise InstanceFailed(instance.name, f"text was {text!r:.{SHOWN_BYTES}}, expected a string")
        return Transcript(text=text.strip(), language=_language(answer.get("language"), wanted))

    async def chat(self, instance: Instance, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        """Yield the reply's text as its events come."""
        body = {
            "model": _model(instance),
            "stream": True,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
        }
        async with self._post(instance, "/chat/completions", json=body) as response:
            async for event in _events(instance, response):
                piece = _delta(instance, event)
                if piece:
                    yield piece

    async def synthesize(
        self, instance: Instance, text: str, language: Language
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech as it comes; an answer that is not PCM is the instance's fault."""
        body: dict[str, Any] = {
            "model": _model(instance),
            "input": text,
            "voice": instance.voice or "default",
            "response_format": "pcm",
        }
        wanted = instance.language or language
        if wanted != "auto":
            body["language"] = wanted
        async with self._post(instance, "/audio/speech", json=body) as response:
            kind = response.content_type
            if kind.startswith(_NOT_PCM):
                shown = (await response.content.read(SHOWN_BYTES))[:SHOWN_BYTES]
                raise InstanceFailed(instance.name, f"speech came as {kind}, expected audio/pcm: {shown!r}")
            async for piece in response.content.iter_any():
                yield piece

    async def check(self, instance: Instance) -> Reported:
        """Return what /health reports, or nothing where /models has to answer in its place."""
        async with _wire_errors(instance), asyncio.timeout(CHECK_TIMEOUT_S):
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
            _wire_errors(instance),
            self._session.post(instance.endpoint + path, headers=_headers(instance), **body) as response,
        ):
            await _raise_for_status(instance, response)
            yield response

    @asynccontextmanager
    async def _get(self, instance: Instance, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
        async with _wire_errors(instance), self._session.get(url, headers=_headers(instance)) as response:
            await _raise_for_status(instance, response)
            yield response


def _model(instance: Instance) -> str:
    return instance.model or DEFAULT_MODELS[instance.service]


def _headers(instance: Instance) -> dict[str, str]:
    key = instance.api_key()
    return {"Authorization": f"Bearer {key}"} if key else {}


def _language(said: object, wanted: Language) -> Language:
    """Return the instance's word for the language ("en", "english", "zh", "chinese") as ours."""
    word = said.lower() if isinstance(said, str) else ""
    if word.startswith(("zh", "chinese", "mandarin", "yue")):
        return "zh"
    return "en" if word.startswith("en") else wanted


@asynccontextmanager
async def _wire_errors(instance: Instance) -> AsyncIterator[None]:
    """Turn what the HTTP client raises into our errors."""
    try:
        yield
    except InstanceError:
        raise
    except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, ConnectionError) as error:
        raise InstanceUnreachable(instance.name, str(error) or type(error).__name__) from error
    except TimeoutError as error:
        raise InstanceUnreachable(instance.name, str(error) or "no answer in time") from error
    except aiohttp.ClientError as error:
        raise InstanceFailed(instance.name, f"{type(error).__name__}: {error}") from error


async def _raise_for_status(instance: Instance, response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    shown = (await response.content.read(SHOWN_BYTES))[:SHOWN_BYTES].decode("utf-8", "replace")
    reason = f"HTTP {response.status}: {shown}"
    if response.status in _TOO_BUSY:
        raise InstanceBusy(instance.name, reason, retry_after_s=_retry_after_s(response))
    if response.status >= 500:
        raise InstanceFailed(instance.name, reason)
    if response.status in _FORBIDDEN:
        raise InstanceForbidden(instance.name, reason)
    raise InstanceRefused(instance.name, reason)


def _retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


async def _read(instance: Instance, response: aiohttp.ClientResponse) -> bytes:
    """Return a whole answer of bounded size."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise InstanceFailed(instance.name, f"answer is over {MAX_ANSWER_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _as_object(instance: Instance, raw: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InstanceFailed(instance.name, f"answer is not JSON: {raw[:SHOWN_BYTES]!r}") from error
    if not isinstance(answer, dict):
        raise InstanceFailed(instance.name, f"answer was {raw[:SHOWN_BYTES]!r}, expected an object")
    return answer


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
                await _let_end(response)
                return
            seen = True
            yield event
        if len(rest) > MAX_LINE_BYTES:
            raise InstanceFailed(instance.name, f"a line of the stream is over {MAX_LINE_BYTES} bytes")
    if not seen:
        raise InstanceFailed(instance.name, f"the stream held no event, it began with {begun!r}")


async def _let_end(response: aiohttp.ClientResponse) -> None:
    """Wait for the end of a stream that said it is over."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(END_TIMEOUT_S):
            await response.content.read()


def _delta(instance: Instance, event: bytes) -> str:
    """Return the text of one chunk; a chunk may carry none (the role, the usage)."""
    chunk = _as_object(instance, event)
    if chunk.get("error"):
        raise InstanceFailed(instance.name, f"the stream said {chunk['error']!r:.{SHOWN_BYTES}}")
    try:
        choices = chunk["choices"]
        text = choices[0]["delta"].get("content") or "" if choices else ""
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise InstanceFailed(instance.name, f"chunk was {event[:SHOWN_BYTES]!r}") from error
    if not isinstance(text, str):
        raise InstanceFailed(instance.name, f"content was {text!r:.{SHOWN_BYTES}}, expected a string")
    return text
