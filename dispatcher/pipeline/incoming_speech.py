"""An utterance as a worker hears it: what was said so far, and more as it comes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final

import structlog

from dispatcher.audio import packets
from dispatcher.audio.opus import OpusDecoder
from dispatcher.audio.wav import wav_bytes
from dispatcher.errors import AudioError, DispatcherError, StateError
from dispatcher.messages import UPLINK_RATE_HZ, TurnTicket
from dispatcher.turn_store.utterance_stream import Part, UtteranceReader

log = structlog.get_logger(__name__)

# A device sends while its microphone is on, silence too; whoever sends nothing for so long is gone.
QUIET_S: Final = 10.0
# Decoding takes 0.15 ms a packet: a few on the loop, many beside it.
_FEW_PACKETS: Final = 20


class Speech:
    """The growing utterance of one turn, as s16le mono PCM at 16 kHz.

    Attributes:
        over: the user has ended; nothing more comes.
        over_at: when that was heard, by the monotonic clock; infinity until then.
        ticket: of the utterance; of the turn that it became, when it is over.
    """

    def __init__(self, ticket: TurnTicket, on_over: Callable[[float], None]) -> None:
        """Nothing was heard yet; `on_over` is called with the deadline when the utterance is over."""
        self.over = False
        self.over_at = math.inf
        self.ticket = ticket
        self._on_over = on_over
        self._pcm = bytearray()
        self._failed: DispatcherError | None = None
        self._changed = asyncio.Event()
        self._packets = _Decoder(ticket)

    @property
    def pcm_bytes(self) -> int:
        """How much was said so far."""
        return len(self._pcm)

    async def follow(self, reader: UtteranceReader) -> None:
        """Take in the utterance to its end; what goes wrong is raised by those who wait for more."""
        heard_at = time.monotonic()
        try:
            while not self.over:
                parts = await reader.read()
                if parts:
                    heard_at = time.monotonic()
                    await self._take(parts)
                elif time.monotonic() - heard_at > QUIET_S:
                    raise StateError(f"the utterance stopped coming {QUIET_S:g} s ago")
        except DispatcherError as error:
            self._failed = error
            self._tell()

    async def pieces(self, on_end: Callable[[], None]) -> AsyncGenerator[bytes, None]:
        """Yield all of the utterance, what is there already first; `on_end` is called at its end.

        Raises:
            StateError: the rest is lost.
            AudioError: it cannot be decoded.
        """
        at = 0
        while True:
            changed = self._changed
            if at < len(self._pcm):
                piece = bytes(self._pcm[at:])
                at += len(piece)
                yield piece
            elif self._is_over():
                on_end()
                return
            else:
                await changed.wait()

    async def until_over(self) -> None:
        """Wait for the end of the utterance; errors as in `pieces`."""
        while not self._is_over():
            await self._changed.wait()

    def as_wav(self) -> bytes:
        """Return what was said so far as a WAV."""
        return wav_bytes(bytes(self._pcm), UPLINK_RATE_HZ)

    def _is_over(self) -> bool:
        if self._failed is not None:
            raise self._failed
        return self.over

    async def _take(self, parts: list[Part]) -> None:
        coming = [packet for part in parts for packet in packets.unpack(part.packed)]
        if len(coming) > _FEW_PACKETS:
            self._pcm += await asyncio.to_thread(self._packets.decode, coming)
        else:
            self._pcm += self._packets.decode(coming)
        ticket = parts[-1].ticket
        if ticket is not None:
            self._packets.check()
            self.over, self.over_at, self.ticket = True, time.monotonic(), ticket
            self._on_over(ticket.deadline_at_s)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class _Decoder:
    """The packets of one device, in order, to PCM at 16 kHz."""

    def __init__(self, ticket: TurnTicket) -> None:
        self._opus = OpusDecoder(UPLINK_RATE_HZ) if ticket.audio_format == "opus" else None
        self._resample = _resampler(ticket.uplink_rate_hz)
        self._decoded = self._broken = 0

    def decode(self, coming: list[bytes]) -> bytes:
        """Return the PCM; packets that do not decode are left out."""
        if self._opus is None:
            self._decoded += len(coming)
            return self._resample(b"".join(coming))
        pieces = []
        for packet in coming:
            try:
                pieces.append(self._opus.decode(packet))
                self._decoded += 1
            except AudioError:
                self._broken += 1
        return b"".join(pieces)

    def check(self) -> None:
        """Say what could not be decoded.

        Raises:
            AudioError: nothing could.
        """
        if self._broken:
            log.info("packets left out", broken=self._broken, packets=self._broken + self._decoded)
        if self._broken and not self._decoded:
            raise AudioError(f"none of {self._broken} packets is Opus")


def _resampler(rate_hz: int) -> Callable[[bytes], bytes]:
    """Return what brings PCM of a device to 16 kHz, slice by slice."""
    if rate_hz == UPLINK_RATE_HZ:
        return lambda pcm: pcm
    from dispatcher.audio.pcm import Resampler  # noqa: PLC0415  it brings NumPy, and boards send 16 kHz

    return Resampler(rate_hz, UPLINK_RATE_HZ).feed
