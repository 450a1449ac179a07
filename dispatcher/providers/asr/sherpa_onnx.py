"""sherpa-onnx's streaming WebSocket server: float samples in, a growing text for each segment out.

Source: sherpa-onnx, csrc/online-websocket-server-impl.cc and its clients.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from dispatcher.audio.pcm import to_float32
from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceFailed
from dispatcher.messages import UPLINK_RATE_HZ, Language
from dispatcher.providers.asr.utterance_stream import (
    StreamingAsr,
    UtteranceStream,
    join_texts,
    slices,
)
from dispatcher.providers.http import SHOWN_BYTES, as_object
from dispatcher.providers.protocols import Transcript
from dispatcher.providers.websocket import Socket

# 120 ms of s16le, which is as much as comes at once from a device.
SHERPA_SLICE_BYTES: Final = UPLINK_RATE_HZ * 2 * 120 // 1000
# The decoder of a segment starts anew, so no server counts so far in one utterance.
MAX_SEGMENTS: Final = 1_000
_OVER: Final = "Done"
_ANSWERED: Final = "Done!"


class SherpaOnnx(StreamingAsr):
    """Calls streaming sherpa-onnx servers."""

    async def transcribe_stream(
        self, instance: Instance, speech: AsyncIterator[bytes], language: Language
    ) -> Transcript:
        """Return the last text of each segment."""
        async with self.open(instance) as socket:
            stream = UtteranceStream(socket)
            text = await stream.run(send=_send(socket, speech), receive=_receive(stream))
        return Transcript(text=text, language=instance.language or language)


async def _send(socket: Socket, speech: AsyncIterator[bytes]) -> None:
    async for piece in slices(speech, SHERPA_SLICE_BYTES):
        await socket.send(to_float32(piece).astype("<f4").tobytes())
    await socket.send(_OVER)


async def _receive(stream: UtteranceStream) -> str:
    segments: dict[int, str] = {}
    while (message := await stream.receive()) is not None:
        if message == _ANSWERED:
            return join_texts(segments[number] for number in sorted(segments))
        result = as_object(stream.instance, message.encode() if isinstance(message, str) else message)
        text, segment = result.get("text"), result.get("segment", 0)
        if not isinstance(text, str) or not _is_number(segment):
            raise InstanceFailed(stream.instance.name, f"result was {result!r:.{SHOWN_BYTES}}")
        segments[segment] = text
    raise stream.silence_error()


def _is_number(segment: object) -> bool:
    return isinstance(segment, int) and not isinstance(segment, bool) and 0 <= segment < MAX_SEGMENTS
