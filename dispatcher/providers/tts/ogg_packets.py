"""Ogg pages as they stream, taken apart into packets.

Source: RFC 3533.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from dispatcher.errors import AudioError

_MAGIC: Final = b"OggS"
_HEADER_BYTES: Final = 27
_SEGMENTS_AT: Final = 26
# A packet goes on where its last segment is full.
_FULL_SEGMENT: Final = 255
MAX_PACKET_BYTES: Final = 200_000


class OggPackets:
    """The packets of a stream; a second stream inside it would be mixed up, and speech has none.

    A packet is there with its last byte: many servers put a second of speech on one page.
    """

    def __init__(self) -> None:
        """Begin at the start of a page."""
        self._bytes = bytearray()
        self._lengths: deque[int] = deque()
        self._packet = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the packets that these bytes complete.

        Raises:
            AudioError: no page stands where one must, or a packet is too long.
        """
        self._bytes += data
        while self._lengths or self._begin_page():
            if not self._lengths:
                continue
            length = self._lengths[0]
            if len(self._bytes) < length:
                return
            self._lengths.popleft()
            self._packet += self._take(length)
            if len(self._packet) > MAX_PACKET_BYTES:
                raise AudioError(f"has a packet of over {MAX_PACKET_BYTES} bytes")
            if length < _FULL_SEGMENT:
                packet, self._packet = self._packet, b""
                yield packet

    def _begin_page(self) -> bool:
        """Take the header of the next page, which may hold nothing; return whether it is there as a whole."""
        if self._bytes[:4] != _MAGIC[: len(self._bytes[:4])]:
            raise AudioError(f"is no Ogg: a page began with {bytes(self._bytes[:4])!r}")
        if len(self._bytes) < _HEADER_BYTES or len(self._bytes) < _HEADER_BYTES + self._bytes[_SEGMENTS_AT]:
            return False
        segments = self._take(_HEADER_BYTES)[_SEGMENTS_AT]
        self._lengths.extend(self._take(segments))
        return True

    def _take(self, length: int) -> bytes:
        taken = bytes(self._bytes[:length])
        del self._bytes[:length]
        return taken
