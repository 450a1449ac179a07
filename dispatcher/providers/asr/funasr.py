"""FunASR's WebSocket server, in its mode of two passes: quick words while one speaks, the better text after.

Source: FunASR, runtime/docs/websocket_protocol.md; its two servers differ in what they do with `is_final`
(runtime/websocket in C++, runtime/python/websocket), and both are understood here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Final

from yarl import URL

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceFailed
from dispatcher.messages import UPLINK_RATE_HZ, Language
from dispatcher.providers.asr.utterance_stream import (
    StreamingAsr,
    UtteranceStream,
    join_texts,
    slices,
)
from dispatcher.providers.http import (
    CHECK_TIMEOUT_S,
    SHOWN_BYTES,
    bearer_headers,
    raise_for_status,
    wire_errors,
)
from dispatcher.providers.protocols import LoadReport, Transcript
from dispatcher.providers.websocket import Socket

# 60 ms, what the server's own clients send: it counts messages as if each were as long.
FUNASR_SLICE_BYTES: Final = UPLINK_RATE_HZ * 2 * 60 // 1000
# Without a mark of its own, a text is the last one when no other follows for so long.
LAST_TEXT_TIMEOUT_S: Final = 0.4
# The Python server has no word for "nothing was said"; its last text takes no longer than this.
NO_TEXT_TIMEOUT_S: Final = 3.0
_START: Final = {
    "mode": "2pass",
    "wav_name": "utterance",
    "wav_format": "pcm",
    "audio_fs": UPLINK_RATE_HZ,
    "chunk_size": [5, 10, 5],
    "chunk_interval": 10,
    "itn": True,
    "is_speaking": True,
}
# How a WebSocket server refuses a request that is no handshake.
_NO_HANDSHAKE: Final = (400, 426)
_CPP_SERVER: Final = "WebSocket++"
# SenseVoice writes language, mood and sound before its text.
_TAG: Final = re.compile(r"<\|([^|<>]*)\|>")
_LANGUAGES: Final[dict[str, Language]] = {"zh": "zh", "yue": "zh", "en": "en"}


class FunAsr(StreamingAsr):
    """Calls FunASR servers."""

    async def transcribe_stream(
        self, instance: Instance, speech: AsyncIterator[bytes], language: Language
    ) -> Transcript:
        """Return what is said: the texts of the second pass, and where it has none those of the first."""
        words = _Words(instance)
        async with self.open(instance) as socket:
            stream = UtteranceStream(socket)
            await stream.run(send=_send(socket, speech), receive=_receive(stream, words))
        if not words.last_came and await self._always_answers(instance):
            raise stream.silence_error()
        return Transcript(text=words.text, language=words.language or instance.language or language)

    async def check(self, instance: Instance) -> LoadReport:
        """Return nothing, once the server refuses a plain request as WebSocket servers do.

        A handshake would do harm: the Python server serves one connection and ends the one before.
        """
        await self._refusal(instance)
        return LoadReport()

    async def _always_answers(self, instance: Instance) -> bool:
        """Return whether the server is the one in C++, which has a last word also for silence."""
        return _CPP_SERVER in await self._refusal(instance)

    async def _refusal(self, instance: Instance) -> str:
        """Return the name of the server, as it refuses a plain request."""
        url = URL(instance.endpoint)
        plain = str(url.with_scheme("https" if url.scheme in ("wss", "https") else "http"))
        async with (
            wire_errors(instance),
            asyncio.timeout(CHECK_TIMEOUT_S),
            self.session.get(plain, headers=bearer_headers(instance)) as response,
        ):
            if response.status in _NO_HANDSHAKE:
                return response.headers.get("Server", "")
            await raise_for_status(instance, response)
            shown = (await response.content.read(SHOWN_BYTES))[:SHOWN_BYTES]
            raise InstanceFailed(
                instance.name, f"HTTP {response.status} {shown!r}, expected a WebSocket server"
            )


class _Words:
    """What one utterance came to so far."""

    def __init__(self, instance: Instance) -> None:
        self.language: Language | None = None
        self.last_came = False
        self._instance = instance
        self._whole: list[str] = []
        self._quick: list[str] = []
        # `is_final` of a text that is not the last one: one server sends false, the other true.
        self._is_final_before_end: bool | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        return join_texts([*self._whole, "".join(self._quick)])

    def take(self, message: dict[str, Any]) -> None:
        """Take in the text of a part of the utterance."""
        text, mode = message.get("text", ""), message.get("mode", "")
        if not isinstance(text, str) or not isinstance(mode, str):
            raise InstanceFailed(self._instance.name, f"message was {message!r:.{SHOWN_BYTES}}")
        if mode.endswith("online"):
            self._quick.append(text)
            return
        self._quick.clear()
        for tag in _TAG.findall(text):
            self.language = self.language or _LANGUAGES.get(tag)
        self._whole.append(_TAG.sub("", text))

    def learn_before_end(self, message: dict[str, Any]) -> None:
        """Learn the `is_final` that this server sends with a text that is not the last one."""
        is_final = message.get("is_final")
        if isinstance(is_final, bool):
            self._is_final_before_end = is_final

    def is_last(self, message: dict[str, Any]) -> bool:
        """Return whether a message is certainly the last one."""
        before, is_final = self._is_final_before_end, message.get("is_final")
        return before is not None and isinstance(is_final, bool) and is_final != before


async def _send(socket: Socket, speech: AsyncIterator[bytes]) -> None:
    await socket.send_object(_START)
    async for piece in slices(speech, FUNASR_SLICE_BYTES):
        await socket.send(piece)
    await socket.send_object({"is_speaking": False})


async def _receive(stream: UtteranceStream, words: _Words) -> None:
    """Receive until the last text is there, or nothing more comes."""
    within_s = NO_TEXT_TIMEOUT_S
    while (message := await stream.receive_object(within_s=within_s)) is not None:
        words.take(message)
        if not stream.is_sent:
            words.learn_before_end(message)
        elif words.is_last(message):
            words.last_came = True
            return
        elif not str(message.get("mode")).endswith("online"):
            words.last_came = True
            within_s = LAST_TEXT_TIMEOUT_S
