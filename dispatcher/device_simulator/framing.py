"""Binary frames in the three versions of the protocol, both ways."""

from __future__ import annotations

import struct
from typing import Final, Literal, TypeAlias

from dispatcher.errors import ProtocolError

Version: TypeAlias = Literal[1, 2, 3]

# u16 version, u16 type, u32 reserved, u32 timestamp in ms, u32 payload size.
_HEADER_2: Final = struct.Struct("!HHIII")
# u8 type, u8 reserved, u16 payload size.
_HEADER_3: Final = struct.Struct("!BBH")
_OPUS: Final = 0


def wrap(packet: bytes, *, version: Version, timestamp_ms: int = 0) -> bytes:
    """Return the packet as a binary frame of that version."""
    if version == 2:
        return _HEADER_2.pack(2, _OPUS, 0, timestamp_ms, len(packet)) + packet
    if version == 3:
        return _HEADER_3.pack(_OPUS, 0, len(packet)) + packet
    return packet


def unwrap(frame: bytes, *, version: Version) -> bytes:
    """Return the packet of a binary frame.

    Raises:
        ProtocolError: the frame is shorter than its header, is of another version or type, or names
            a size that is not its own. The firmware would read out of bounds.
    """
    if version == 1:
        return frame
    header = _HEADER_2 if version == 2 else _HEADER_3
    if len(frame) < header.size:
        raise ProtocolError(f"frame of {len(frame)} bytes; a version {version} header has {header.size}")
    size = _read_header_2(frame) if version == 2 else _read_header_3(frame)
    packet = frame[header.size :]
    if size != len(packet):
        raise ProtocolError(f"frame says {size} bytes of payload and has {len(packet)}")
    return packet


def _read_header_2(frame: bytes) -> int:
    version, kind, _, _, size = _HEADER_2.unpack_from(frame)
    if (version, kind) != (2, _OPUS):
        raise ProtocolError(f"frame of version {version} and type {kind}; expected version 2, type 0")
    return int(size)


def _read_header_3(frame: bytes) -> int:
    kind, _, size = _HEADER_3.unpack_from(frame)
    if kind != _OPUS:
        raise ProtocolError(f"frame of type {kind}; expected 0")
    return int(size)
