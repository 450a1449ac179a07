"""WAV as it streams: the header first, then samples as they come, whatever length the header claims."""

from __future__ import annotations

from typing import Final, Protocol

from dispatcher.audio.wav import EXPECTED, INTEGER, WavHeader, read_header
from dispatcher.errors import AudioError

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
        self._waiting = b""
        self._header: WavHeader | None = None
        self._left_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """Return the speech that these bytes complete; what stands behind the samples is left out."""
        if self._header is None:
            data = self._take_header(data)
        if self._header is None:
            return b""
        taken = data[: self._left_bytes]
        self._left_bytes -= len(taken)
        return self._pcm.feed(self._as_s16le(taken, self._header))

    def finish(self) -> bytes:
        """Return the rest."""
        if self._header is None:
            raise AudioError(f"ended in its header; expected {EXPECTED}")
        return self._pcm.finish()

    def _take_header(self, data: bytes) -> bytes:
        """Return the bytes behind the header, once it is there as a whole."""
        begun = self._waiting + data
        self._header = header = read_header(begun)
        if header is None:
            if len(begun) > _MAX_HEADER_BYTES:
                raise AudioError(f"its header is over {_MAX_HEADER_BYTES} bytes; expected {EXPECTED}")
            self._waiting = begun
            return b""
        self._waiting, self._left_bytes = b"", header.body_bytes
        self._pcm = self._make_pcm(header.sample_rate_hz, channels=header.channels)
        return begun[header.body_at :]

    def _as_s16le(self, data: bytes, header: WavHeader) -> bytes:
        """Return samples of any kind as s16le; what is left of a frame waits for its other bytes."""
        if (header.code, header.bits) == (INTEGER, 16):
            return data
        from dispatcher.audio.pcm import rounded, wav_samples  # noqa: PLC0415  11 MB that few workers need

        data = self._waiting + data
        whole = len(data) - len(data) % max(header.frame_bytes, 1)
        self._waiting = data[whole:]
        return rounded(wav_samples(data[:whole], header))
