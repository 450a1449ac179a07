"""Microsoft's Edge voices through the library `edge-tts` (the extra `edge`), which knows address and dialect.

The service has no contract with us and needs no key; it may change, refuse or slow down at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from types import ModuleType
from typing import Any, Final

import aiohttp

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceFailed, InstanceForbidden, InstanceUnreachable
from dispatcher.messages import Language
from dispatcher.providers.http import wire_errors
from dispatcher.providers.refusals import status_error
from dispatcher.providers.tts.speech_decoder import Form, decoded
from dispatcher.providers.websocket import Socket, SocketProvider, open_socket

EDGE_CONNECT_TIMEOUT_S: Final = 5
EDGE_ANSWER_TIMEOUT_S: Final = 10
# The Chinese voice speaks English too.
VOICES: Final[dict[Language, str]] = {
    "auto": "zh-CN-XiaoxiaoNeural",
    "zh": "zh-CN-XiaoxiaoNeural",
    "en": "en-US-AriaNeural",
}


class EdgeTts(SocketProvider):
    """Calls Microsoft's service; an instance's endpoint is only a name for it."""

    def open(self, instance: Instance) -> AbstractAsyncContextManager[Socket]:
        """Connect as the library does, for a check; the library itself connects for each call."""
        library = _library(instance).communicate
        try:
            url = (
                f"{library.WSS_URL}&ConnectionId={library.connect_id()}"
                f"&Sec-MS-GEC={library.DRM.generate_sec_ms_gec()}"
                f"&Sec-MS-GEC-Version={library.SEC_MS_GEC_VERSION}"
            )
            headers = library.DRM.headers_with_muid(library.WSS_HEADERS)
        except AttributeError as error:
            raise InstanceForbidden(instance.name, f"this edge-tts is not known here: {error}") from error
        return open_socket(self.session, instance, url, headers=headers)

    async def synthesize(
        self, instance: Instance, text: str, language: Language, *, speed: float = 1.0
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech as it comes, decoded from MP3; without a voice, one of the language."""
        voice = instance.voice or VOICES[instance.language or language]
        pieces = _pieces(_library(instance), instance, text, voice, rate=f"{round((speed - 1) * 100):+d}%")
        async with aclosing(decoded(instance, pieces, Form(kind="mp3"))) as speech:
            async for pcm in speech:
                yield pcm


def _library(instance: Instance) -> ModuleType:
    try:
        import edge_tts.communicate  # noqa: PLC0415  a worker without such an instance needs no library
    except ModuleNotFoundError as error:
        reason = f"needs: pip install 'xiaozhi-dispatcher[edge]' ({error.name} is missing)"
        raise InstanceForbidden(instance.name, reason) from error
    return edge_tts


async def _pieces(
    library: ModuleType, instance: Instance, text: str, voice: str, *, rate: str
) -> AsyncGenerator[bytes, None]:
    """Yield MP3; whatever the library makes of a strange answer is the instance's fault."""
    try:
        call = library.Communicate(
            text,
            voice,
            rate=rate,
            connect_timeout=EDGE_CONNECT_TIMEOUT_S,
            receive_timeout=EDGE_ANSWER_TIMEOUT_S,
        )
    except (TypeError, ValueError) as error:
        raise InstanceForbidden(instance.name, f"voice: {error}") from error
    async with wire_errors(instance):
        try:
            sent = 0
            async with aclosing(call.stream()) as chunks:
                while chunk := await _next(instance, chunks):
                    if chunk["type"] == "audio":
                        sent += len(chunk["data"])
                        yield chunk["data"]
            # The library takes a socket that closes for the end; it counts what came before a real one.
            if call.state.get("cumulative_audio_bytes", sent) < sent:
                raise InstanceFailed(instance.name, "the speech broke off")
        except aiohttp.ClientResponseError as error:
            raise status_error(instance, error.status, error.message, error.headers or {}) from error
        except (library.exceptions.EdgeTTSException, ValueError, LookupError, TypeError) as error:
            raise InstanceFailed(instance.name, f"{type(error).__name__}: {error}") from error


async def _next(instance: Instance, chunks: AsyncGenerator[dict[str, Any], None]) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(EDGE_CONNECT_TIMEOUT_S + EDGE_ANSWER_TIMEOUT_S):
            return await anext(chunks, None)
    except TimeoutError as error:
        raise InstanceUnreachable(
            instance.name, f"silent for {EDGE_CONNECT_TIMEOUT_S + EDGE_ANSWER_TIMEOUT_S} s"
        ) from error
