"""Decoding of the packets of one utterance, in their order."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from dispatcher.audio.opus import OpusDecoder
from dispatcher.errors import AudioError
from dispatcher.messages import UPLINK_RATE_HZ, AudioFormat

log = structlog.get_logger(__name__)


class UtteranceDecoder:
    """From packets of one device to s16le mono PCM; Opus comes out at 16 kHz, PCM at its own rate."""

    def __init__(self, audio_format: AudioFormat) -> None:
        """Begin with the first packet."""
        self._opus = OpusDecoder(UPLINK_RATE_HZ) if audio_format == "opus" else None
        self._decoded = self._broken = 0

    def decode(self, packets: Sequence[bytes]) -> bytes:
        """Return the PCM of some packets; those that do not decode are left out."""
        if self._opus is None:
            return b"".join(packets)
        pieces = []
        for packet in packets:
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
