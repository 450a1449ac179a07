"""WAV containers, written and parsed; without numpy, for processes that decode no samples."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from dispatcher.errors import AudioError

EXPECTED: Final = "a WAV file of 8, 16, 24 or 32-bit integer or 32-bit float samples, mono or stereo"
INTEGER: Final = 1
FLOAT: Final = 3
# The real format is the first word of a GUID at the end of the chunk.
_EXTENSIBLE: Final = 0xFFFE
_SUBFORMAT_AT: Final = 24
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
WAV_HEADER_BYTES: Final = _HEADER.size


@dataclass(frozen=True, slots=True, kw_only=True)
class WavAudio:
    """The `fmt` chunk of a WAV file and the bytes of its samples, as they stand."""

    code: int
    channels: int
    sample_rate_hz: int
    bits: int
    body: bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.bits // 8 * self.channels

    @property
    def duration_s(self) -> float:
        """Length of the sound."""
        return len(self.body) / max(self.frame_bytes * self.sample_rate_hz, 1)


def wav_bytes(pcm: bytes, sample_rate_hz: int) -> bytes:
    """Return the s16le mono PCM as a WAV file."""
    header = _HEADER.pack(
        b"RIFF", _HEADER.size - 8 + len(pcm), b"WAVE",
        b"fmt ", 16, INTEGER, 1, sample_rate_hz, sample_rate_hz * 2, 2, 16,
        b"data", len(pcm),
    )  # fmt: skip
    return header + pcm


def parse_wav(data: bytes) -> WavAudio:
    """Return what is in a WAV file; one written as a stream, with a wrong length, is read to its end.

    Raises:
        AudioError: not WAV; says what it was and what was expected.
    """
    chunks = _read_chunks(data)
    fmt = chunks.get(b"fmt ", b"")
    if len(fmt) < 16:
        raise AudioError(f"WAV with a fmt chunk of {len(fmt)} bytes, 16 needed; expected {EXPECTED}")
    if b"data" not in chunks:
        raise AudioError(f"WAV without a data chunk; expected {EXPECTED}")
    code, channels, sample_rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if code == _EXTENSIBLE and len(fmt) >= _SUBFORMAT_AT + 2:
        (code,) = struct.unpack_from("<H", fmt, _SUBFORMAT_AT)
    return WavAudio(
        code=code, channels=channels, sample_rate_hz=sample_rate_hz, bits=bits, body=chunks[b"data"]
    )


def _read_chunks(data: bytes) -> dict[bytes, bytes]:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        start = ascii(data[:12].decode("latin-1"))
        raise AudioError(f"audio starts with {start}; expected {EXPECTED}")
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data) and b"data" not in chunks:
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        end = len(data) if name == b"data" and size == 0 else at + size
        chunks[name] = data[at:end]
        # Chunks begin on even bytes.
        at += size + size % 2
    return chunks
