"""Volcano Engine (ByteDance, Doubao) speech over its binary WebSocket, version 1, one-way streaming.

A frame is a header of 4 bytes (version and size, type and flags, serialization and compression, reserved),
then what its type says, big endian.
Source: volcengine.com/docs/6561/1257584, large-model TTS, WebSocket.
"""

from __future__ import annotations

import json
import struct
import uuid
import zlib
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.catalogue.model import Instance
from dispatcher.errors import (
    ContentRefused,
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
)
from dispatcher.messages import REPLY_RATE_HZ, Language
from dispatcher.providers.http import SHOWN_BYTES, key_of
from dispatcher.providers.websocket import MAX_MESSAGE_BYTES, Socket, SocketProvider, open_socket

VOLCANO_ANSWER_TIMEOUT_S: Final = 10.0
DEFAULT_CLUSTER: Final = "volcano_tts"
# Version 1 with a header of one word; a full client request; JSON without compression.
_REQUEST: Final = b"\x11\x10\x10\x00"
_AUDIO: Final = 0b1011
_ERROR: Final = 0b1111
_GZIP: Final = 0b0001
_GZIP_WINDOW: Final = 31
_ERRORS: Final[dict[int, type[InstanceError]]] = {
    3001: InstanceForbidden,
    3003: InstanceBusy,
    3005: InstanceBusy,
    3010: ContentRefused,
    3011: ContentRefused,
    3050: InstanceForbidden,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What the service sends; `number` counts slices of speech, below 0 for the last, or is a code."""

    kind: int
    number: int
    body: bytes


class Volcano(SocketProvider):
    """Calls instances that speak Volcano's dialect."""

    def open(self, instance: Instance) -> AbstractAsyncContextManager[Socket]:
        """Connect with the token, behind a semicolon by the documents; nothing is spoken for that."""
        headers = {"Authorization": f"Bearer; {key_of(instance)}"}
        return open_socket(self.session, instance, instance.endpoint, headers=headers)

    async def synthesize(
        self, instance: Instance, text: str, language: Language
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech as it comes; the voice decides the language."""
        del language
        async with self.open(instance) as socket:
            request = json.dumps(_request(instance, text), ensure_ascii=False).encode()
            await socket.send(_REQUEST + struct.pack(">I", len(request)) + request)
            while True:
                frame = await _receive(socket)
                if frame.body:
                    yield frame.body
                if frame.number < 0:
                    return


def _request(instance: Instance, text: str) -> dict[str, Any]:
    return {
        # The service ignores this token, but requires it.
        "app": {
            "appid": instance.app_id,
            "token": "in-the-header",
            "cluster": instance.model or DEFAULT_CLUSTER,
        },
        "user": {"uid": "xiaozhi-dispatcher"},
        "audio": {"voice_type": instance.voice, "encoding": "pcm", "rate": REPLY_RATE_HZ},
        "request": {"reqid": uuid.uuid4().hex, "text": text, "operation": "submit"},
    }


async def _receive(socket: Socket) -> _Frame:
    """Return the next frame with speech; it is empty where the service only confirms the request."""
    instance = socket.instance
    message = await socket.receive(within_s=VOLCANO_ANSWER_TIMEOUT_S)
    if isinstance(message, str):
        raise InstanceFailed(instance.name, f"frame was text: {message[:SHOWN_BYTES]!r}")
    try:
        frame = _parse(message)
    except (IndexError, struct.error, zlib.error) as error:
        raise InstanceFailed(instance.name, f"frame was {message[:SHOWN_BYTES]!r}") from error
    if frame.kind == _ERROR:
        raise _error(instance, frame)
    return frame if frame.kind == _AUDIO else _Frame(kind=frame.kind, number=0, body=b"")


def _parse(message: bytes) -> _Frame:
    """Return a frame; raises what indexing, `struct` and `zlib` raise for one that is none."""
    at, kind, flags = (message[0] & 0x0F) * 4, message[1] >> 4, message[1] & 0x0F
    if kind == _AUDIO and not flags:
        return _Frame(kind=kind, number=0, body=b"")
    number, size = struct.unpack_from(">iI", message, at)
    body = message[at + 8 : at + 8 + size]
    if len(body) < size:
        raise struct.error(f"{size} bytes claimed, {len(body)} there")
    if message[2] & 0x0F == _GZIP and body:
        body = zlib.decompressobj(_GZIP_WINDOW).decompress(body, MAX_MESSAGE_BYTES)
    return _Frame(kind=kind, number=number, body=body)


def _error(instance: Instance, frame: _Frame) -> InstanceError:
    """Return the error of a frame; what is used up or not granted comes under the code of a wrong request."""
    said = frame.body.decode("utf-8", "replace")
    kind = _ERRORS.get(frame.number, InstanceFailed)
    if "quota exceeded" in said:
        kind = InstanceForbidden if "lifetime" in said else InstanceBusy
    elif "grant not found" in said or "access denied" in said:
        kind = InstanceForbidden
    return kind(instance.name, f"code {frame.number}: {said}"[:SHOWN_BYTES])
