"""sherpa-onnx's two WebSocket servers as their sources describe them, without a model.

Both hear a word in each half second that is not silent, so that a test can tell how much was heard.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Final

from aiohttp import WSMsgType, web

from tests.support.services.funasr import Fault

RATE_HZ: Final = 16_000
WORD_SAMPLES: Final = RATE_HZ // 2
NONSENSE: Final[dict[Fault, str]] = {
    "html": "<html><body>It works!</body></html>",
    "broken": '{"text": "WOR',
    "types": '{"text": ["WORD"], "segment": 0}',
}


@dataclass
class SherpaServer:
    """The streaming server: a result for each decoded piece, `Done!` when all was decoded.

    Attributes:
        segment_words: a segment ends after so many words, and the next one starts anew.
        samples: what came, as numbers.
    """

    fault: Fault = "none"
    segment_words: int = 100
    samples: list[float] = field(default_factory=list)

    async def talk(self, socket: web.WebSocketResponse) -> None:
        """Serve one connection."""
        told = 0
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                self.samples += struct.unpack(f"<{len(message.data) // 4}f", message.data)
                words = len(self.samples) // WORD_SAMPLES
                if words > told:
                    told = words
                    if self.fault == "close":
                        return
                    await self._tell(socket, words)
            elif message.data == "Done" and self.fault != "hang":
                await self._tell(socket, told, is_final=True)
                await socket.send_str("Done!")

    async def _tell(self, socket: web.WebSocketResponse, words: int, *, is_final: bool = False) -> None:
        if self.fault in NONSENSE:
            await socket.send_str(NONSENSE[self.fault])
        if self.fault == "half":
            await socket.send_bytes('{"text": "词'.encode()[:-1])
        segment, in_segment = divmod(max(0, words - 1), self.segment_words)
        result = {
            "text": " WORD" * (in_segment + 1 if words else 0),
            "tokens": [],
            "timestamps": [],
            "segment": segment,
            "is_final": is_final,
        }
        await socket.send_str(json.dumps(result))


@dataclass
class OfflineSherpaServer:
    """The other server: rate and length, samples, then one answer.

    Attributes:
        answer: what it says; a text in old versions, JSON in newer ones.
    """

    answer: str = '{"lang": "<|zh|>", "emotion": "", "text": "今天天气怎么样", "tokens": []}'
    rate_hz: int = 0
    samples: tuple[float, ...] = ()
    said_done: bool = False
    largest_bytes: int = 0

    async def talk(self, socket: web.WebSocketResponse) -> None:
        """Serve one connection."""
        came = b""
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.said_done = message.data == "Done"
                return
            came += message.data
            self.largest_bytes = max(self.largest_bytes, len(message.data))
            self.rate_hz, size_bytes = struct.unpack_from("<II", came)
            if len(came) == 8 + size_bytes:
                self.samples = struct.unpack(f"<{size_bytes // 4}f", came[8:])
                await socket.send_str(self.answer)
