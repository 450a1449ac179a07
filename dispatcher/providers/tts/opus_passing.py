"""Ogg Opus whose packets a device plays as they are: they are joined to its frames, and not decoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from dispatcher.audio import packets
from dispatcher.audio.opus_frames import OpusPackets, PacketJoiner, is_joinable
from dispatcher.errors import AudioError
from dispatcher.messages import REPLY_FRAME_MS
from dispatcher.providers.tts.ogg_packets import OggPackets

_HEAD: Final = b"OpusHead"
_TAGS: Final = b"OpusTags"
# One channel, no gain and no mapping: what a decoder of mono sound plays without having read it.
_HEAD_BYTES: Final = 19
_CHANNELS_AT: Final = 9
_GAIN_AND_MAPPING_AT: Final = slice(16, 19)


class _Decoder(Protocol):
    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class OpusPassing:
    """Passes the packets of Ogg Opus on, where the first one can be joined; else decodes all of them."""

    def __init__(self, make_decoder: Callable[[], _Decoder]) -> None:
        """Begin at the start of a stream; `make_decoder` is called where packets cannot be passed on."""
        self._make_decoder = make_decoder
        self._decoder: _Decoder | None = None
        self._packets = OggPackets()
        self._joiner = PacketJoiner(REPLY_FRAME_MS)
        self._begun = b""
        self._has_head = False
        self._is_passing = False

    def feed(self, data: bytes) -> bytes:
        """Return the speech that these bytes complete, as OpusPackets or as PCM.

        Raises:
            AudioError: it is no Opus, or changes its form after its packets were passed on.
        """
        if self._decoder is not None:
            return self._decoder.feed(data)
        if not self._is_passing:
            self._begun += data
        joined = []
        for packet in self._packets.feed(data):
            if packet.startswith(_TAGS):
                continue
            if not self._may_pass(packet):
                self._decoder = self._make_decoder()
                return self._decoder.feed(self._begun)
            if packet.startswith(_HEAD):
                self._has_head = True
            else:
                self._is_passing, self._begun = True, b""
                joined += self._joiner.feed(packet)
        return OpusPackets(packets.pack(joined))

    def finish(self) -> bytes:
        """Return the rest."""
        if self._decoder is not None:
            return self._decoder.finish()
        return OpusPackets(packets.pack(self._joiner.flush()))

    def _may_pass(self, packet: bytes) -> bool:
        """Return whether a packet can be passed on, or is a head after which that can be.

        Raises:
            AudioError: it cannot, though others were.
        """
        if packet.startswith(_HEAD):
            may_pass = len(packet) >= _HEAD_BYTES and packet[_CHANNELS_AT] == 1
            may_pass = may_pass and not any(packet[_GAIN_AND_MAPPING_AT])
        else:
            may_pass = self._has_head and is_joinable(packet, REPLY_FRAME_MS)
        if self._is_passing and not may_pass:
            raise AudioError("changes its form in its middle")
        return may_pass
