"""FunASR's WebSocket server as its documents and its two implementations describe it, without a model.

What it hears becomes a text of fixed words, one for each 600 ms; so a test can tell how much was heard.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, Literal

from aiohttp import WSMsgType, web

CHUNK_BYTES = 600 * 32
WORDS = ("今天", "天气", "怎么样")
Flavour = Literal["cpp", "python"]
Fault = Literal["none", "close", "hang", "slow", "html", "broken", "half", "types"]
NONSENSE = {
    "html": "<html><body>It works!</body></html>",
    "broken": '{"mode": "2pass-online", "te',
    "types": '{"mode": "2pass-offline", "text": 17, "is_final": true}',
}


@dataclass
class Heard:
    """One connection: how it was started, the sizes of what came, whether its end was said."""

    start: dict[str, Any] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    ended: bool = False

    @property
    def chunks(self) -> int:
        """Whole pieces of 600 ms."""
        return sum(self.sizes) // CHUNK_BYTES


@dataclass
class FunAsrServer:
    """The server's side of every connection.

    Attributes:
        flavour: which implementation: they disagree on `is_final`, and on what silence is answered with.
        fault: what it does wrong, at the first whole chunk.
        silent: it hears nothing in whatever comes.
        ends: after so many chunks its own ear finds the end of a sentence.
    """

    flavour: Flavour = "cpp"
    fault: Fault = "none"
    silent: bool = False
    tags: str = ""
    ends: int = 0
    heard: list[Heard] = field(default_factory=list)

    async def talk(self, socket: web.WebSocketResponse) -> None:
        """Serve one connection."""
        heard = Heard()
        self.heard.append(heard)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                said = json.loads(message.data)
                heard.start.update(said)
                if said.get("is_speaking") is False:
                    heard.ended = True
                    await self._finish(socket, heard)
            elif message.type is WSMsgType.BINARY:
                before = heard.chunks
                heard.sizes.append(len(message.data))
                if heard.chunks > before and not await self._on_chunk(socket, heard):
                    return

    async def _on_chunk(self, socket: web.WebSocketResponse, heard: Heard) -> bool:
        """Answer a whole chunk; return whether the connection goes on."""
        if self.fault == "close":
            return False
        if self.fault in NONSENSE:
            await socket.send_str(NONSENSE[self.fault])
        if self.fault == "half":
            await socket.send_bytes('{"mode": "2pass-online", "text": "今'.encode()[:-1])
        if self.fault == "hang" or self.silent:
            return True
        await self._say(socket, "2pass-online", self._words(heard.chunks)[-1], last=False)
        if heard.chunks == self.ends:
            await self._say(socket, "2pass-offline", "".join(self._words(heard.chunks)), last=False)
        return True

    async def _finish(self, socket: web.WebSocketResponse, heard: Heard) -> None:
        if self.fault == "hang":
            return
        if self.fault == "slow":
            await asyncio.sleep(0.2)
        words = [] if self.silent else self._words(heard.chunks)[self.ends :]
        if words or self.flavour == "cpp":
            text = self.tags + "".join(words) + "。" if words else ""
            await self._say(socket, "2pass-offline", text, last=True)

    async def _say(self, socket: web.WebSocketResponse, mode: str, text: str, *, last: bool) -> None:
        is_final = last if self.flavour == "cpp" else not last
        said = {"mode": mode, "text": text, "wav_name": "utterance", "is_final": is_final}
        await socket.send_str(json.dumps(said, ensure_ascii=False))

    @staticmethod
    def _words(chunks: int) -> list[str]:
        return list(islice(cycle(WORDS), chunks))
