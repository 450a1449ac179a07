"""Utterance on its way to a worker: its decoder, the audio so far, and more as it comes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

import structlog

from dispatcher.audio import packets
from dispatcher.audio.opus import OpusDecoder
from dispatcher.audio.wav import wav_bytes
from dispatcher.errors import AudioError, DispatcherError, StateError
from dispatcher.messages import UPLINK_RATE_HZ, AudioFormat, TurnTicket
from dispatcher.pipeline.attempt import now
from dispatcher.turn_store.utterance_stream import UtterancePart, UtteranceReader

log = structlog.get_logger(__name__)

# A device sends while its microphone is on, silence too; one that sends nothing for so long has left.
UTTERANCE_QUIET_TIMEOUT_S: Final = 10.0
# Decoding takes 0.15 ms a packet: a few on the loop, many beside it.
FEW_PACKETS: Final = 30


class IncomingUtterance:
    """The growing utterance of one turn, as s16le mono PCM at 16 kHz.

    Attributes:
        over: the user has ended; nothing more comes.
        over_at: when that was received, by the loop's clock; infinity until then.
        ticket: of the utterance; of the turn that it became, when it is over.
    """

    def __init__(self, ticket: TurnTicket, on_over: Callable[[float], None]) -> None:
        """Begin with nothing; `on_over` is called with the deadline when the utterance is over."""
        self.over = False
        self.over_at = math.inf
        self.ticket = ticket
        self._on_over = on_over
        self._pcm = bytearray()
        self._failed: DispatcherError | None = None
        self._changed = asyncio.Event()
        self._decoder = UtteranceDecoder(ticket.audio_format)
        self._resample = _resampler(ticket)

    @property
    def pcm_bytes(self) -> int:
        """Length of the audio so far."""
        return len(self._pcm)

    async def follow(self, reader: UtteranceReader) -> None:
        """Take in the utterance to its end; errors are raised by `pieces` and `until_over`."""
        received_at = now()
        try:
            while not self.over:
                parts = await reader.read()
                if parts:
                    received_at = now()
                    await self._take(parts)
                elif now() - received_at > UTTERANCE_QUIET_TIMEOUT_S:
                    raise StateError(f"the utterance stopped coming {UTTERANCE_QUIET_TIMEOUT_S:g} s ago")
        except DispatcherError as error:
            self._failed = error
            self._notify()

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
        """Return the audio so far as a WAV."""
        return wav_bytes(bytes(self._pcm), UPLINK_RATE_HZ)

    def _is_over(self) -> bool:
        if self._failed is not None:
            raise self._failed
        return self.over

    async def _take(self, parts: list[UtterancePart]) -> None:
        coming = [packet for part in parts for packet in packets.unpack(part.packed)]
        self._pcm += await decode_by_size(self._decode, coming)
        ticket = parts[-1].ticket
        if ticket is not None:
            self._decoder.check()
            self.over, self.over_at, self.ticket = True, now(), ticket
            self._on_over(ticket.deadline_at_s)
        self._notify()

    def _decode(self, coming: Sequence[bytes]) -> bytes:
        return self._resample(self._decoder.decode(coming))

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def decode_by_size(decode: Callable[[Sequence[bytes]], bytes], coming: Sequence[bytes]) -> bytes:
    """Return what packets decode to; many of them are decoded in a thread, as the loop has other calls."""
    if len(coming) > FEW_PACKETS:
        return await asyncio.to_thread(decode, coming)
    return decode(coming)


class UtteranceDecoder:
    """From packets of one device to s16le mono PCM; Opus comes out at 16 kHz, PCM at its own rate."""

    def __init__(self, audio_format: AudioFormat) -> None:
        """Begin with the first packet."""
        self._opus = OpusDecoder(UPLINK_RATE_HZ) if audio_format == "opus" else None
        self._decoded = self._broken = 0

    def decode(self, coming: Sequence[bytes]) -> bytes:
        """Return the PCM of some packets; those that do not decode are left out."""
        if self._opus is None:
            return b"".join(coming)
        pieces = []
        for packet in coming:
            try:
                pieces.append(self._opus.decode(packet))
            except AudioError:
                self._broken += 1
        self._decoded += len(pieces)
        return b"".join(pieces)

    def check(self) -> None:
        """Log what could not be decoded.

        Raises:
            AudioError: nothing could.
        """
        if self._broken:
            log.info("packets left out", broken=self._broken, packets=self._broken + self._decoded)
        if self._broken and not self._decoded:
            raise AudioError(f"none of {self._broken} packets is Opus")


def _resampler(ticket: TurnTicket) -> Callable[[bytes], bytes]:
    """Return a function that brings PCM of a device to 16 kHz, slice by slice."""
    if ticket.audio_format == "opus" or ticket.uplink_rate_hz == UPLINK_RATE_HZ:
        return lambda pcm: pcm
    from dispatcher.audio.pcm import Resampler  # noqa: PLC0415  it brings NumPy, and boards send 16 kHz

    return Resampler(ticket.uplink_rate_hz, UPLINK_RATE_HZ).feed
