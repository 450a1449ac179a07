"""Opus packets joined to longer ones, without decoding them.

Source: RFC 6716, section 3: the first byte of a packet and how frames are packed.
"""

from __future__ import annotations

from typing import Final

from dispatcher.errors import AudioError

# Frame lengths in ms of the configurations in their order: 12 of SILK, 4 hybrid, 16 of CELT.
_FRAMES_MS: Final = (10, 20, 40, 60) * 3 + (10, 20) * 2 + (2.5, 5, 10, 20) * 4
# Bits of the first byte that a packet of one mono frame has not.
_STEREO_OR_FRAMES: Final = 0b111
_ANY_FRAMES: Final = 3
_OF_ANY_LENGTH: Final = 0x80
_LONG_FRAME_BYTES: Final = 252


class OpusPackets(bytes):
    """Opus packets that a device plays as they are, in the form of `audio.packets.pack`."""

    __slots__ = ()


def is_joinable(packet: bytes, packet_ms: int) -> bool:
    """Return whether a packet is one mono frame, of which some make a packet of this length."""
    return bool(packet) and not packet[0] & _STEREO_OR_FRAMES and packet_ms % _FRAMES_MS[packet[0] >> 3] == 0


class PacketJoiner:
    """Joins packets of one mono frame each to packets of one length."""

    def __init__(self, packet_ms: int) -> None:
        """Set the length of the packets."""
        self._packet_ms = packet_ms
        self._first = 0
        self._frames: list[bytes] = []

    def feed(self, packet: bytes) -> list[bytes]:
        """Return the packets that this one completes: two where it is of another kind than those before.

        Raises:
            AudioError: it cannot be joined.
        """
        if not is_joinable(packet, self._packet_ms):
            raise AudioError(f"has a packet that is not one mono frame: it begins with {packet[:4]!r}")
        done = self.flush() if packet[0] != self._first else []
        self._first = packet[0]
        self._frames.append(packet[1:])
        return done + self.flush() if len(self._frames) == self._frames_wanted() else done

    def flush(self) -> list[bytes]:
        """Return what waits as one packet, or nothing; frames that it lacks are left out, as in a pause."""
        if not self._frames:
            return []
        frames, self._frames = self._frames, []
        return [_joined(self._first, frames + [b""] * (self._frames_wanted() - len(frames)))]

    def _frames_wanted(self) -> int:
        return int(self._packet_ms / _FRAMES_MS[self._first >> 3])


def _joined(first: int, frames: list[bytes]) -> bytes:
    if len(frames) == 1:
        return bytes([first]) + frames[0]
    head = bytes([first | _ANY_FRAMES, _OF_ANY_LENGTH | len(frames)])
    return b"".join([head, *(_length(len(frame)) for frame in frames[:-1]), *frames])


def _length(count: int) -> bytes:
    if count < _LONG_FRAME_BYTES:
        return bytes([count])
    low = _LONG_FRAME_BYTES + count % 4
    return bytes([low, (count - low) // 4])
