"""MP3 and Ogg Opus as they stream, by PyAV (the extra `formats`); import it only when such speech comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from av.packet import Packet

from dispatcher.errors import AudioError
from dispatcher.messages import REPLY_RATE_HZ
from dispatcher.providers.tts.ogg_packets import OggPackets

# Where tags or noise stand between frames some packets do not decode; this many in a row are no speech.
MAX_BROKEN_PACKETS: Final = 20
_OPUS_RATE_HZ: Final = 48_000
_PRE_SKIP_AT: Final = slice(10, 12)


class _Speech:
    """Packets of one codec in, s16le mono PCM at 24 kHz out."""

    def __init__(self, codec: str, *, extradata: bytes = b"") -> None:
        context = av.CodecContext.create(codec, "r")
        if not isinstance(context, AudioCodecContext):
            raise AudioError(f"no decoder of {codec} sound")
        if extradata:
            context.extradata = extradata
        self.context = context
        self._resampler = AudioResampler(format="s16", layout="mono", rate=REPLY_RATE_HZ)
        self._broken = 0

    def decode(self, packet: Packet[Any] | None) -> bytes:
        """Return the speech of a packet; None brings what the decoder still holds."""
        try:
            frames = self.context.decode(packet)
        except FFmpegError as error:
            self._broken += 1
            if self._broken > MAX_BROKEN_PACKETS or packet is None:
                raise AudioError(f"does not decode: {error}") from error
            return b""
        self._broken = 0
        pcm = b"".join(self._resample(frame) for frame in frames)
        return pcm if packet is not None else pcm + self._resample(None)

    def _resample(self, frame: AudioFrame | None) -> bytes:
        try:
            return b"".join(out.to_ndarray().tobytes() for out in self._resampler.resample(frame))
        except (FFmpegError, ValueError) as error:
            raise AudioError(f"changes its form in its middle: {error}") from error


class Mp3Decoder:
    """Decodes MP3, with tags or without; raises AudioError."""

    def __init__(self) -> None:
        """Begin at the start of a stream."""
        self._speech = _Speech("mp3")
        self._fed = False

    def feed(self, data: bytes) -> bytes:
        """Return the speech that these bytes complete."""
        self._fed = self._fed or bool(data)
        return b"".join(self._speech.decode(packet) for packet in self._packets(data))

    def finish(self) -> bytes:
        """Return the rest."""
        if not self._fed:
            return b""
        rest = b"".join(self._speech.decode(packet) for packet in self._packets(None))
        return rest + self._speech.decode(None)

    def _packets(self, data: bytes | None) -> list[Packet[Any]]:
        if data == b"":
            return []
        try:
            return self._speech.context.parse(data)
        except FFmpegError as error:
            raise AudioError(f"is no MP3: {error}") from error


class OggOpusDecoder:
    """Decodes Opus in Ogg; raises AudioError."""

    def __init__(self) -> None:
        """Begin at the start of a stream."""
        self._packets = OggPackets()
        self._speech: _Speech | None = None
        self._skip_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """Return the speech that these bytes complete."""
        return b"".join(self._speech_of(self._packets.feed(data)))

    def finish(self) -> bytes:
        """Return the rest."""
        return self._after_skip(self._speech.decode(None)) if self._speech else b""

    def _speech_of(self, packets: Iterator[bytes]) -> Iterator[bytes]:
        for packet in packets:
            if packet.startswith(b"OpusHead"):
                yield self.finish()
                self._speech = _Speech("opus", extradata=packet)
                pre_skip = int.from_bytes(packet[_PRE_SKIP_AT], "little")
                self._skip_bytes = pre_skip * REPLY_RATE_HZ // _OPUS_RATE_HZ * 2
            elif self._speech is None:
                raise AudioError(f"is no Opus: its first packet began with {packet[:8]!r}")
            elif not packet.startswith(b"OpusTags"):
                yield self._after_skip(self._speech.decode(Packet(packet)))

    def _after_skip(self, pcm: bytes) -> bytes:
        """Return the speech without what an encoder puts before it."""
        skipped = min(self._skip_bytes, len(pcm))
        self._skip_bytes -= skipped
        return pcm[skipped:]
