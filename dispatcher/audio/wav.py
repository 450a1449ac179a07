"""Writing WAV files; without numpy, so that a process that only writes them stays 11 MB smaller."""

from __future__ import annotations

import struct
from typing import Final

_PCM: Final = 1
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")


def wav_bytes(pcm: bytes, sample_rate_hz: int) -> bytes:
    """Return the s16le mono PCM as a WAV file."""
    header = _HEADER.pack(
        b"RIFF", _HEADER.size - 8 + len(pcm), b"WAVE",
        b"fmt ", 16, _PCM, 1, sample_rate_hz, sample_rate_hz * 2, 2, 16,
        b"data", len(pcm),
    )  # fmt: skip
    return header + pcm
