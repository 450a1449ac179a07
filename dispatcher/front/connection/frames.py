"""Binary frames of the three protocol versions, both ways (big endian).

| version | layout |
| --- | --- |
| 1 | the raw packet |
| 2 | u16 version, u16 type (0 audio, 1 JSON), u32 reserved, u32 timestamp ms, u32 size, payload |
| 3 | u8 type, u8 reserved, u16 size, payload |
"""

from __future__ import annotations

import struct
from typing import Final, Literal

from dispatcher.errors import ProtocolError

Version = Literal[1, 2, 3]
VERSIONS: Final[tuple[Version, ...]] = (1, 2, 3)
_V2: Final = struct.Struct(">HHIII")
_V3: Final = struct.Struct(">BBH")
_JSON: Final = 1


def read_version(requested: object) -> Version:
    """Return the framing version that a header or a hello asks for; 1 where it is none of ours."""
    return next((version for version in VERSIONS if str(requested).strip() == str(version)), 1)


def pack(version: Version, packet: bytes, timestamp_ms: int) -> bytes:
    """Return the frame of an audio packet. The device trusts the size field, so it is always true."""
    match version:
        case 1:
            return packet
        case 2:
            return _V2.pack(2, 0, 0, timestamp_ms & 0xFFFFFFFF, len(packet)) + packet
        case 3:
            return _V3.pack(0, 0, len(packet)) + packet


def unpack(version: Version, frame: bytes) -> tuple[bytes, bool]:
    """Return a frame's payload, and whether it is JSON instead of audio.

    Raises:
        ProtocolError: the frame is shorter than its header, or than the size that it claims.
    """
    match version:
        case 1:
            return frame, False
        case 2:
            kind, size = _header(_V2, frame)[1::3]
            return _payload(frame, _V2.size, size), kind == _JSON
        case 3:
            kind, _, size = _header(_V3, frame)
            return _payload(frame, _V3.size, size), kind == _JSON


def _header(layout: struct.Struct, frame: bytes) -> tuple[int, ...]:
    if len(frame) < layout.size:
        raise ProtocolError(f"frame has {len(frame)} bytes, expected a header of {layout.size}")
    return layout.unpack_from(frame)


def _payload(frame: bytes, header_bytes: int, size: int) -> bytes:
    if len(frame) - header_bytes < size:
        raise ProtocolError(f"frame claims {size} bytes of payload, {len(frame) - header_bytes} came")
    return frame[header_bytes : header_bytes + size]
