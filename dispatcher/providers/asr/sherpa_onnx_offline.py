"""sherpa-onnx's other WebSocket server, which takes whole utterances: SenseVoice, Whisper, Paraformer.

Source: sherpa-onnx, csrc/offline-websocket-server-impl.cc and its clients. Rate and length in bytes go first,
as 32-bit numbers, then float samples; the answer is a text, or a JSON object in newer versions.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any, Final

from dispatcher.audio.pcm import read_wav, to_float32
from dispatcher.catalogue.model import Instance
from dispatcher.errors import AudioError, ContentRefused, InstanceFailed
from dispatcher.messages import Language
from dispatcher.providers.http import SHOWN_BYTES, as_object
from dispatcher.providers.protocols import Transcript
from dispatcher.providers.websocket import SocketProvider

SHERPA_ANSWER_TIMEOUT_S: Final = 30.0
# The server closes the connection on a message that it finds too long.
MESSAGE_BYTES: Final = 10_240
_HEADER: Final = struct.Struct("<II")
_LANGUAGES: Final[dict[str, Language]] = {"zh": "zh", "yue": "zh", "en": "en"}


class SherpaOnnxOffline(SocketProvider):
    """Calls sherpa-onnx servers that take whole utterances."""

    async def transcribe(self, instance: Instance, wav: bytes, language: Language) -> Transcript:
        """Return what is said in the WAV, at whatever rate it is."""
        try:
            body = await asyncio.to_thread(_as_message, wav)
        except AudioError as error:
            raise ContentRefused(instance.name, f"utterance: {error}") from error
        async with self.open(instance) as socket:
            for at in range(0, len(body), MESSAGE_BYTES):
                await socket.send(body[at : at + MESSAGE_BYTES])
            answer = await socket.receive(within_s=SHERPA_ANSWER_TIMEOUT_S)
            await socket.send("Done")
        return _transcript(instance, answer, instance.language or language)


def _as_message(wav: bytes) -> bytes:
    pcm, rate_hz = read_wav(wav)
    samples = to_float32(pcm).astype("<f4").tobytes()
    return _HEADER.pack(rate_hz, len(samples)) + samples


def _transcript(instance: Instance, answer: str | bytes, wanted: Language) -> Transcript:
    raw = answer.encode() if isinstance(answer, str) else answer
    result: dict[str, Any] = (
        as_object(instance, raw) if raw.lstrip().startswith((b"{", b"<")) else {"text": answer}
    )
    text, said = result.get("text"), result.get("lang", "")
    if not isinstance(text, str) or not isinstance(said, str):
        raise InstanceFailed(instance.name, f"result was {result!r:.{SHOWN_BYTES}}")
    # SenseVoice writes its language as <|zh|>.
    return Transcript(text=text.strip(), language=_LANGUAGES.get(said.strip("<|>"), wanted))
