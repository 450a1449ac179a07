"""Opus both ways, and the cutting of PCM into frames.

libopus comes with `opuslib-next-bundled`; OPUSLIB_NEXT_USE_SYSTEM_LIB=1 takes the system's library
through the same API instead. That package's own encode and decode allocate and copy on each call,
so functions of the library are called here directly, with buffers that live as long as the codec.
A codec belongs to one thread at a time. libopus speaks native byte order: little-endian hosts only.
"""

from __future__ import annotations

import ctypes
from typing import Final

import opuslib_next
from opuslib_next.api import decoder as decoder_api
from opuslib_next.api import libopus

from dispatcher.errors import AudioError

SAMPLE_BYTES: Final = 2
OPUS_RATES_HZ: Final = (8_000, 12_000, 16_000, 24_000, 48_000)
OPUS_FRAMES_MS: Final = (5, 10, 20, 40, 60)
# About 240 bytes in 60 ms. Below some 18 kbit/s libopus changes to its speech coder, at four times the CPU.
SPEECH_BITRATE: Final = 32_000
# RFC 6716: a packet holds at most 120 ms; three frames of 1275 bytes are the most that 60 ms can take.
_LONGEST_PACKET_MS: Final = 120
_LONGEST_PACKET_BYTES: Final = 3 * 1275 + 7

# Of our own, for it takes bytes as they are: the package's wants them copied to an array.
_encode: Final = libopus["opus_encode"]
_encode.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int32)
_encode.restype = ctypes.c_int32


def _check_rate(sample_rate_hz: int) -> None:
    if sample_rate_hz not in OPUS_RATES_HZ:
        raise AudioError(f"sample rate {sample_rate_hz} Hz; Opus knows {', '.join(map(str, OPUS_RATES_HZ))}")


class OpusDecoder:
    """Decodes the packets of one stream, in order, to s16le mono."""

    def __init__(self, sample_rate_hz: int) -> None:
        """Make a decoder whose output has this rate, whatever the rate of the sender.

        Raises:
            AudioError: not a rate of Opus.
        """
        _check_rate(sample_rate_hz)
        self.sample_rate_hz = sample_rate_hz
        self._capacity = sample_rate_hz * _LONGEST_PACKET_MS // 1000
        self._samples = (ctypes.c_int16 * self._capacity)()
        self._codec = opuslib_next.Decoder(sample_rate_hz, 1)

    def decode(self, packet: bytes) -> bytes:
        """Return the PCM of one packet, as long as the packet says.

        A packet of one or two bytes is silence left out by the sender (DTX) and decodes like any other.

        Raises:
            AudioError: the packet is empty or not Opus.
        """
        if not packet:
            raise AudioError("Opus packet is empty; at least one byte expected")
        count = decoder_api.libopus_decode(
            self._codec.decoder_state, packet, len(packet), self._samples, self._capacity, 0
        )
        if count < 0:
            raise AudioError(f"Opus packet of {len(packet)} bytes: {opuslib_next.OpusError(count)}")
        return ctypes.string_at(self._samples, count * SAMPLE_BYTES)

    def packet_duration_ms(self, packet: bytes) -> float:
        """Return how much sound the packet stands for, without decoding it.

        Raises:
            AudioError: the packet is empty or not Opus.
        """
        count = decoder_api.libopus_get_nb_samples(self._codec.decoder_state, packet, len(packet))
        if count < 0:
            raise AudioError(f"Opus packet of {len(packet)} bytes: {opuslib_next.OpusError(count)}")
        return float(count * 1000 / self.sample_rate_hz)


class OpusEncoder:
    """Encodes s16le mono frames of one length; every frame gives a packet, silence too (no DTX).

    Attributes:
        frame_bytes: of one frame of PCM.
    """

    def __init__(self, sample_rate_hz: int, frame_ms: int, *, complexity: int = 0) -> None:
        """Make an encoder for speech.

        Args:
            sample_rate_hz: rate of the frames.
            frame_ms: length of each frame.
            complexity: 0 (cheapest) to 10; 60 ms at 24 kHz take 0.06, 0.10, 0.15 ms at 0, 3, 5, and 0
                sounds no worse than 3 (docs/performance.md). The application is AUDIO: VOIP would take
                four times that on voiced sound, and the encoder is the largest single cost of a turn.

        Raises:
            AudioError: not a rate or a frame length of Opus.
        """
        _check_rate(sample_rate_hz)
        if frame_ms not in OPUS_FRAMES_MS:
            raise AudioError(f"frame of {frame_ms} ms; expected one of {', '.join(map(str, OPUS_FRAMES_MS))}")
        self.sample_rate_hz = sample_rate_hz
        self.frame_ms = frame_ms
        self._frame_samples = sample_rate_hz * frame_ms // 1000
        self.frame_bytes = self._frame_samples * SAMPLE_BYTES
        self._packet = memoryview(bytearray(_LONGEST_PACKET_BYTES))
        self._packet_at = ctypes.addressof(ctypes.c_char.from_buffer(self._packet))
        self._codec = opuslib_next.Encoder(sample_rate_hz, 1, opuslib_next.APPLICATION_AUDIO)
        self.complexity = self._codec.complexity = complexity
        self._codec.bitrate = SPEECH_BITRATE
        self._state = ctypes.cast(self._codec.encoder_state, ctypes.c_void_p)

    def encode(self, frame: bytes) -> bytes:
        """Return the packet of exactly one frame.

        Raises:
            AudioError: the frame has another length than this encoder's, or libopus failed.
        """
        if len(frame) != self.frame_bytes:
            raise AudioError(f"frame of {len(frame)} bytes; {self.frame_bytes} expected")
        size = _encode(self._state, frame, self._frame_samples, self._packet_at, _LONGEST_PACKET_BYTES)
        if size < 0:
            raise AudioError(f"Opus encoder: {opuslib_next.OpusError(size)}")
        return self._packet[:size].tobytes()

    def reset(self) -> None:
        """Forget the sound so far, as if newly made; the settings stay."""
        self._codec.reset_state()


class PcmPacketizer:
    """Cuts PCM that comes in any slices into frames, for devices that asked for `format: pcm`."""

    def __init__(self, sample_rate_hz: int, frame_ms: int) -> None:
        """Set the length of the frames."""
        self._frame_bytes = sample_rate_hz * frame_ms // 1000 * SAMPLE_BYTES
        self._rest = b""

    def feed(self, pcm: bytes) -> list[bytes]:
        """Return the frames that are complete now; the rest waits, half a sample too."""
        pcm = self._rest + pcm
        whole = len(pcm) - len(pcm) % self._frame_bytes
        self._rest = pcm[whole:]
        return [pcm[at : at + self._frame_bytes] for at in range(0, whole, self._frame_bytes)]

    def flush(self) -> list[bytes]:
        """Return what is left as one frame padded with silence, or nothing; then take a new stream."""
        samples = self._rest[: len(self._rest) // SAMPLE_BYTES * SAMPLE_BYTES]
        self._rest = b""
        return [samples.ljust(self._frame_bytes, b"\0")] if samples else []


class PacketEncoder:
    """Turns PCM that comes in any slices into Opus packets."""

    def __init__(self, encoder: OpusEncoder) -> None:
        """Use this encoder, alone, until `flush`."""
        self._encoder = encoder
        self._packetizer = PcmPacketizer(encoder.sample_rate_hz, encoder.frame_ms)

    @property
    def complexity(self) -> int:
        """Effort of the encoder."""
        return self._encoder.complexity

    def feed(self, pcm: bytes) -> list[bytes]:
        """Return the packets of the frames that are complete now."""
        return [self._encoder.encode(frame) for frame in self._packetizer.feed(pcm)]

    def flush(self) -> list[bytes]:
        """Return the last packet, padded with silence, or nothing; then take a new stream."""
        packets = [self._encoder.encode(frame) for frame in self._packetizer.flush()]
        self._encoder.reset()
        return packets
