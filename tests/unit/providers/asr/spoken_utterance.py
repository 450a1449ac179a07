"""Speech for the tests of streaming ASR: all at once, or in parts as the test lets it go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from dispatcher.audio.wav import wav_bytes
from dispatcher.errors import StateError

MS = 32
"""Bytes of one millisecond of s16le at 16 kHz."""


def tone(length_ms: int) -> bytes:
    """Return sound that is not silent."""
    return b"\x00\x10\x00\xf0" * (length_ms * MS // 4)


WAV = wav_bytes(tone(1800), 16_000)


@dataclass
class Speaker:
    """Somebody who says a part, and the rest when the test lets them.

    Attributes:
        goes_on: the rest may be said.
        closed: its reader has left.
    """

    parts: tuple[bytes, ...]
    breaks_off: bool = False
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def speech(self) -> AsyncGenerator[bytes, None]:
        first, *rest = self.parts
        try:
            yield first
            await self.goes_on.wait()
            if self.breaks_off:
                raise StateError("the rest is lost")
            for part in rest:
                yield part
        finally:
            self.closed.set()


async def says(*parts: bytes) -> AsyncIterator[bytes]:
    """Say it all at once."""
    for part in parts:
        yield part
