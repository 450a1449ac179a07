"""Several packets in one byte string: the form of a claim and of a reply entry.

Layout: for each packet a u16 length, big-endian, then its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from dispatcher.errors import AudioError

_LENGTH: Final = struct.Struct("!H")
_LONGEST_PACKET_BYTES: Final = 0xFFFF


def pack(packets: Iterable[bytes]) -> bytes:
    """Return the packets in one byte string.

    Raises:
        AudioError: a packet is longer than its length field can say (65 535 bytes).
    """
    parts: list[bytes] = []
    for packet in packets:
        if len(packet) > _LONGEST_PACKET_BYTES:
            raise AudioError(f"packet of {len(packet)} bytes; at most {_LONGEST_PACKET_BYTES} fit")
        parts += (_LENGTH.pack(len(packet)), packet)
    return b"".join(parts)


def unpack(packed: bytes) -> list[bytes]:
    """Return the packets that `pack` put together.

    Raises:
        AudioError: the bytes end inside a length or inside a packet.
    """
    packets: list[bytes] = []
    at = 0
    while at < len(packed):
        start = at + _LENGTH.size
        if start > len(packed):
            raise AudioError(f"packed audio ends inside a length, at byte {at} of {len(packed)}")
        (length,) = _LENGTH.unpack_from(packed, at)
        at = start + length
        if at > len(packed):
            raise AudioError(f"packed audio ends inside a packet: {length} bytes due at byte {start}")
        packets.append(packed[start:at])
    return packets
