"""Speech as services encode it, made by PyAV from a recording that ships."""

from __future__ import annotations

import io
import struct
from functools import cache
from itertools import pairwise

import av
import numpy as np
from numpy.typing import NDArray

from dispatcher.audio.pcm import read_wav, resample
from dispatcher.messages import REPLY_RATE_HZ
from dispatcher.recordings import recording


@cache
def speech(rate_hz: int = REPLY_RATE_HZ) -> bytes:
    """Return a sentence of 1.6 s as s16le mono PCM."""
    pcm, from_hz = read_wav(recording("hello.wav"))
    return resample(pcm, from_hz, rate_hz)


@cache
def encoded(container: str, codec: str, rate_hz: int, layout: str = "mono") -> bytes:
    """Return that sentence as a file of a container and codec that PyAV knows."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(
            np.frombuffer(speech(rate_hz), "<i2").reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = rate_hz
        size = stream.codec_context.frame_size or 1152
        fitting = av.AudioResampler(format=stream.format, layout=layout, rate=rate_hz, frame_size=size)
        for part in (*fitting.resample(frame), *fitting.resample(None), None):
            output.mux(stream.encode(part))
    return file.getvalue()


def wav(
    pcm: bytes, rate_hz: int, *, channels: int = 1, code: int = 1, bits: int = 16, claims: int = 0
) -> bytes:
    """Return a WAV that claims a length of its own, as one does that is written as a stream."""
    frame = channels * bits // 8
    head = struct.pack("<HHIIHH", code, channels, rate_hz, rate_hz * frame, frame, bits)
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + head + extra + b"data" + struct.pack("<I", claims) + pcm


def as_numbers(pcm: bytes) -> NDArray[np.float64]:
    """Return s16le samples as numbers."""
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def likeness(heard: bytes, said: bytes) -> float:
    """Return how alike two sounds are, 0..1, whatever one is later or quieter than the other."""
    one, other = as_numbers(heard), as_numbers(said)
    size = 2 ** (len(one) + len(other)).bit_length()
    shared = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    return float(shared.max() / (np.linalg.norm(one) * np.linalg.norm(other)))


def slices(data: bytes, size: int) -> list[bytes]:
    """Return the bytes in slices of a size."""
    return [data[start:end] for start, end in pairwise([*range(0, len(data), size), len(data)])]
