"""Reading WAV files in the forms that speech services answer with."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.errors import AudioError

_EXPECTED: Final = "a WAV file of 8, 16, 24 or 32-bit integer or 32-bit float samples, mono or stereo"
_INTEGER: Final = 1
_FLOAT: Final = 3
# The real format is the first word of a GUID at the end of the chunk.
_EXTENSIBLE: Final = 0xFFFE
_SUBFORMAT_AT: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class _Format:
    """The `fmt` chunk."""

    code: int
    channels: int
    sample_rate_hz: int
    bits: int


def read_wav(data: bytes) -> tuple[bytes, int]:
    """Return a WAV file as s16le mono PCM and its sample rate in Hz; stereo is averaged.

    A file written as a stream, with a length of 0 or more than there is, is read to its end.

    Raises:
        AudioError: not WAV, or samples of another kind; says what it was and what was expected.
    """
    chunks = _read_chunks(data)
    wave = _read_format(chunks.get(b"fmt ", b""))
    if b"data" not in chunks:
        raise AudioError(f"WAV without a data chunk; expected {_EXPECTED}")
    convert = _CONVERTERS.get((wave.code, wave.bits))
    if convert is None or wave.channels not in {1, 2}:
        kind = f"format {wave.code}, {wave.bits} bits, {wave.channels} channels"
        raise AudioError(f"WAV of {kind}; expected {_EXPECTED}")
    frame_bytes = wave.bits // 8 * wave.channels
    body = chunks[b"data"]
    samples = convert(body[: len(body) // frame_bytes * frame_bytes])
    if wave.channels == 2:
        samples = samples.reshape(-1, 2).mean(axis=1)
    clipped = np.clip(np.rint(samples), -32768, 32767)
    return clipped.astype("<i2").tobytes(), wave.sample_rate_hz


def _read_chunks(data: bytes) -> dict[bytes, bytes]:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        start = ascii(data[:12].decode("latin-1"))
        raise AudioError(f"audio starts with {start}; expected {_EXPECTED}")
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


def _read_format(chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise AudioError(f"WAV with a fmt chunk of {len(chunk)} bytes, 16 needed; expected {_EXPECTED}")
    code, channels, sample_rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == _EXTENSIBLE and len(chunk) >= _SUBFORMAT_AT + 2:
        (code,) = struct.unpack_from("<H", chunk, _SUBFORMAT_AT)
    return _Format(code=code, channels=channels, sample_rate_hz=sample_rate_hz, bits=bits)


def _from_u8(body: bytes) -> NDArray[np.float64]:
    return (np.frombuffer(body, dtype=np.uint8).astype(np.float64) - 128) * 256


def _from_s16(body: bytes) -> NDArray[np.float64]:
    return np.frombuffer(body, dtype="<i2").astype(np.float64)


def _from_s24(body: bytes) -> NDArray[np.float64]:
    low, middle, high = np.frombuffer(body, dtype=np.uint8).reshape(-1, 3).T.astype(np.float64)
    value = low + middle * 2**8 + high * 2**16
    return np.where(value >= 2**23, value - 2**24, value) / 2**8


def _from_s32(body: bytes) -> NDArray[np.float64]:
    return np.frombuffer(body, dtype="<i4").astype(np.float64) / 2**16


def _from_float32(body: bytes) -> NDArray[np.float64]:
    return np.frombuffer(body, dtype="<f4").astype(np.float64) * 32768


# (format code, bits) -> samples on the scale of 16 bits.
_CONVERTERS: Final[dict[tuple[int, int], Callable[[bytes], NDArray[np.float64]]]] = {
    (_INTEGER, 8): _from_u8,
    (_INTEGER, 16): _from_s16,
    (_INTEGER, 24): _from_s24,
    (_INTEGER, 32): _from_s32,
    (_FLOAT, 32): _from_float32,
}
