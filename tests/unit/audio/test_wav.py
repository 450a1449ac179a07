"""WAV files in the forms that speech services answer with."""

from __future__ import annotations

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.audio.pcm import read_wav
from dispatcher.audio.wav import wav_bytes
from dispatcher.errors import AudioError

EXTENSIBLE_TAIL = struct.pack("<HHI", 22, 16, 4)
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def wav(
    body: bytes,
    *,
    code: int = 1,
    channels: int = 1,
    bits: int = 16,
    size: int | None = None,
    more: bytes = b"",
) -> bytes:
    """Return a WAV file at 16 kHz; `size` is what its data chunk claims, `more` follows the format."""
    step = bits // 8 * channels
    fmt = struct.pack("<HHIIHH", code, channels, 16_000, 16_000 * step, step, bits) + more
    data = b"data" + struct.pack("<I", len(body) if size is None else size) + body
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"LIST\x03\x00\x00\x00abc\x00" + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def samples_of(data: bytes) -> list[int]:
    pcm, rate_hz = read_wav(data)
    assert rate_hz == 16_000
    return list(struct.unpack(f"<{len(pcm) // 2}h", pcm))


@given(st.lists(st.integers(-32768, 32767)))
def test_a_file_gives_back_the_pcm_it_was_written_from(samples: list[int]) -> None:
    pcm = struct.pack(f"<{len(samples)}h", *samples)
    assert read_wav(wav_bytes(pcm, 24_000)) == (pcm, 24_000)


def test_another_reader_reads_what_is_written() -> None:
    with wave.open(io.BytesIO(wav_bytes(b"\x01\x02\x03\x04", 24_000))) as reader:
        assert (reader.getnchannels(), reader.getsampwidth(), reader.getframerate()) == (1, 2, 24_000)
        assert reader.readframes(9) == b"\x01\x02\x03\x04"


@pytest.mark.parametrize(
    ("code", "bits", "body"),
    [
        (1, 8, bytes([0, 64, 128, 192])),
        (1, 16, struct.pack("<4h", -32768, -16384, 0, 16384)),
        (1, 24, bytes.fromhex("000080 0000c0 000000 000040")),
        (1, 32, struct.pack("<4i", -(2**31), -(2**30), 0, 2**30)),
        (3, 32, struct.pack("<4f", -1.0, -0.5, 0.0, 0.5)),
    ],
)
def test_every_kind_of_sample_gives_the_same_sound(code: int, bits: int, body: bytes) -> None:
    assert samples_of(wav(body, code=code, bits=bits)) == [-32768, -16384, 0, 16384]


def test_stereo_becomes_the_mean_of_both_channels() -> None:
    assert samples_of(wav(struct.pack("<4h", 100, 300, -50, 50), channels=2)) == [200, 0]


def test_floats_that_are_too_loud_are_clipped() -> None:
    assert samples_of(wav(struct.pack("<2f", 1.5, -1.5), code=3, bits=32)) == [32767, -32768]


def test_an_extensible_file_is_read_by_its_sub_format() -> None:
    tail = EXTENSIBLE_TAIL + struct.pack("<H", 1) + GUID_TAIL
    assert samples_of(wav(struct.pack("<2h", 1, 2), code=0xFFFE, more=tail)) == [1, 2]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_file_written_as_a_stream_is_read_to_its_end(size: int) -> None:
    assert samples_of(wav(struct.pack("<3h", 1, 2, 3), size=size)) == [1, 2, 3]


def test_a_sample_that_was_cut_off_is_left_out() -> None:
    assert samples_of(wav(struct.pack("<2h", 1, 2) + b"\x03", size=0)) == [1, 2]


def test_what_follows_the_data_is_not_sound() -> None:
    assert samples_of(wav(struct.pack("<2h", 1, 2)) + b"LIST\x02\x00\x00\x00ab") == [1, 2]


@pytest.mark.parametrize(
    ("data", "what_it_was"),
    [
        (b"", "starts with ''"),
        (b"ID3\x04mp3, not wav", "starts with 'ID3"),
        (wav(b"\0\0")[:20], "without a data chunk"),
        (wav(b"")[:-8], "without a data chunk"),
        (wav(b"\0\0").replace(b"fmt ", b"info"), "fmt chunk of 0 bytes"),
        (wav(bytes(6), channels=3), "3 channels"),
        (wav(bytes(2), code=7, bits=8), "format 7, 8 bits"),
        (wav(bytes(8), code=3, bits=64), "format 3, 64 bits"),
        (wav(bytes(2), code=0xFFFE), "format 65534"),
    ],
)
def test_an_error_says_what_the_file_was_and_what_was_expected(data: bytes, what_it_was: str) -> None:
    with pytest.raises(AudioError) as caught:
        read_wav(data)
    assert what_it_was in str(caught.value)
    assert "expected a WAV file" in str(caught.value)
