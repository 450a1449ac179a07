"""WAV as it streams: the header first, then samples as they come, whatever length the header claims."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Protocol

from dispatcher.errors import AudioError

_EXPECTED: Final = "a WAV of 8 to 32-bit PCM or 32-bit float samples, mono or stereo"
_INTEGER: Final = 1
_FLOAT: Final = 3
# The real format is the first word of a GUID at the end of the chunk.
_EXTENSIBLE: Final = 0xFFFE
_SUBFORMAT_AT: Final = 24
_CHUNK: Final = struct.Struct("<4sI")
# A header with pictures in it is no speech.
_MAX_HEADER_BYTES: Final = 64_000


class _Pcm(Protocol):
    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class _MakePcm(Protocol):
    def __call__(self, sample_rate_hz: int, *, channels: int) -> _Pcm: ...


class WavStream:
    """Decodes one WAV; raises AudioError for another file."""

    def __init__(self, make_pcm: _MakePcm) -> None:
        """Remember what takes the samples on, once their rate is known."""
        self._make_pcm = make_pcm
        self._header = b""
        self._pcm: _Pcm | None = None
        self._convert: Callable[[bytes], bytes] = bytes
        self._left_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """Return the speech that these bytes complete; what stands behind the samples is left out."""
        if self._pcm is None:
            self._header += data
            data = self._take_header()
        if self._pcm is None:
            return b""
        taken = data[: self._left_bytes]
        self._left_bytes -= len(taken)
        return self._pcm.feed(self._convert(taken))

    def finish(self) -> bytes:
        """Return the rest."""
        if self._pcm is None:
            raise AudioError(f"ended in its header; expected {_EXPECTED}")
        return self._pcm.finish()

    def _take_header(self) -> bytes:
        """Return the bytes behind the header, once it is there as a whole."""
        known = self._header[:4], self._header[8:12]
        if not b"RIFF".startswith(known[0]) or not b"WAVE".startswith(known[1]):
            raise AudioError(f"is no WAV; expected {_EXPECTED}")
        at, chunk = 12, b""
        while at + _CHUNK.size <= len(self._header):
            name, size = _CHUNK.unpack_from(self._header, at)
            at += _CHUNK.size
            if name == b"data":
                self._begin(chunk, size)
                return self._header[at:]
            if name == b"fmt ":
                chunk = self._header[at : at + size]
            # Chunks begin on even bytes.
            at += size + size % 2
        if len(self._header) > _MAX_HEADER_BYTES:
            raise AudioError(f"its header is over {_MAX_HEADER_BYTES} bytes; expected {_EXPECTED}")
        return b""

    def _begin(self, chunk: bytes, size: int) -> None:
        """Prepare for samples of the format that the `fmt` chunk tells."""
        if len(chunk) < 16:
            raise AudioError(f"its fmt chunk has {len(chunk)} bytes, 16 needed; expected {_EXPECTED}")
        code, channels, sample_rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
        if code == _EXTENSIBLE and len(chunk) >= _SUBFORMAT_AT + 2:
            (code,) = struct.unpack_from("<H", chunk, _SUBFORMAT_AT)
        if (code, bits) == (_FLOAT, 32):
            self._convert = _Float32()
        elif code == _INTEGER and bits in (8, 24, 32):
            self._convert = _WholeNumbers(bits // 8)
        elif (code, bits) != (_INTEGER, 16):
            raise AudioError(f"has format {code} of {bits} bits; expected {_EXPECTED}")
        self._pcm = self._make_pcm(sample_rate_hz, channels=channels)
        # A file that was written as a stream claims 0, or more than will ever come.
        self._left_bytes = size or 2**32


class _WholeNumbers:
    """Samples of one, three or four bytes as s16le: their two upper bytes; what is left of one waits."""

    def __init__(self, width_bytes: int) -> None:
        self._width = width_bytes
        self._rest = b""

    def __call__(self, data: bytes) -> bytes:
        import numpy as np  # noqa: PLC0415  as below

        if self._width == 1:
            # WAV has no sign on its smallest samples.
            return bytes(((np.frombuffer(data, dtype="u1").astype("<i2") - 128) << 8).tobytes())
        data = self._rest + data
        whole = len(data) - len(data) % self._width
        self._rest = data[whole:]
        samples = np.frombuffer(data[:whole], dtype="u1").reshape(-1, self._width)
        return bytes(samples[:, -2:].tobytes())


class _Float32:
    """Float samples as s16le; what is left of one waits for its other bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def __call__(self, data: bytes) -> bytes:
        import numpy as np  # noqa: PLC0415  a worker that never converts stays 11 MB smaller

        data = self._rest + data
        whole = len(data) - len(data) % 4
        self._rest = data[whole:]
        scaled = np.nan_to_num(np.frombuffer(data[:whole], dtype="<f4") * np.float32(32768))
        return bytes(np.clip(np.rint(scaled), -32768, 32767).astype("<i2").tobytes())
