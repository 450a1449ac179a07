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
_CHUNK: Final = struct.Struct("<4sI")
# What a data chunk of 0 bytes says: it ends with the file.
_NO_END: Final = 2**32
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
WAV_HEADER_BYTES: Final = _HEADER.size


@dataclass(frozen=True, slots=True, kw_only=True)
class WavHeader:
    """What stands before the samples of a WAV file.

    Attributes:
        code: kind of the samples, `INTEGER` or `FLOAT`.
        channels: samples of one moment.
        sample_rate_hz: of each channel.
        bits: of one sample.
        body_at: index of the first byte of the samples.
        body_bytes: length of the samples, at most: a file that was written as a stream claims too many.
    """

    code: int
    channels: int
    sample_rate_hz: int
    bits: int
    body_at: int
    body_bytes: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.bits // 8 * self.channels


def wav_bytes(pcm: bytes, sample_rate_hz: int) -> bytes:
    """Return the s16le mono PCM as a WAV file."""
    header = _HEADER.pack(
        b"RIFF", _HEADER.size - 8 + len(pcm), b"WAVE",
        b"fmt ", 16, INTEGER, 1, sample_rate_hz, sample_rate_hz * 2, 2, 16,
        b"data", len(pcm),
    )  # fmt: skip
    return header + pcm


def read_header(data: bytes) -> WavHeader | None:
    """Return the header of a WAV file, None while it is not there as a whole.

    Raises:
        AudioError: not WAV; says what it was and what was expected.
    """
    if not b"RIFF".startswith(data[:4]) or not b"WAVE".startswith(data[8:12]):
        raise AudioError(_not_wav(data))
    at, fmt = 12, b""
    while at + _CHUNK.size <= len(data):
        name, size = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if name == b"data":
            return _header(fmt, at, size or _NO_END)
        if name == b"fmt ":
            fmt = data[at : at + size]
        # Chunks begin on even bytes.
        at += size + size % 2
    return None


def parse_wav(data: bytes) -> tuple[WavHeader, bytes]:
    """Return the header of a WAV file and its samples; one written as a stream is read to its end.

    Raises:
        AudioError: not WAV; says what it was and what was expected.
    """
    header = read_header(data)
    if header is None:
        raise AudioError(f"WAV without a data chunk; expected {EXPECTED}" if data[8:] else _not_wav(data))
    return header, data[header.body_at : header.body_at + header.body_bytes]


def _header(fmt: bytes, body_at: int, body_bytes: int) -> WavHeader:
    if len(fmt) < 16:
        raise AudioError(f"WAV with a fmt chunk of {len(fmt)} bytes, 16 needed; expected {EXPECTED}")
    code, channels, sample_rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if code == _EXTENSIBLE and len(fmt) >= _SUBFORMAT_AT + 2:
        (code,) = struct.unpack_from("<H", fmt, _SUBFORMAT_AT)
    return WavHeader(
        code=code,
        channels=channels,
        sample_rate_hz=sample_rate_hz,
        bits=bits,
        body_at=body_at,
        body_bytes=body_bytes,
    )


def _not_wav(data: bytes) -> str:
    return f"audio starts with {data[:12].decode('latin-1')!a}; expected {EXPECTED}"
