from __future__ import annotations

import pytest

from dispatcher.audio.opus import OpusDecoder, OpusEncoder
from dispatcher.audio.opus_frames import PacketJoiner, is_joinable
from dispatcher.errors import AudioError
from tests.unit.audio.sounds import tone

MONO_20_MS = 27 << 3


def packets_of(frame_ms: int, count: int) -> list[bytes]:
    """Return packets of a tone."""
    encoder = OpusEncoder(24_000, frame_ms)
    sound = tone(440, seconds=0.72, rate_hz=24_000)
    size = encoder.frame_bytes
    return [encoder.encode(sound[at * size : (at + 1) * size]) for at in range(count)]


@pytest.mark.parametrize("frame_ms", [5, 10, 20])
def test_joined_packets_sound_as_their_parts(frame_ms: int) -> None:
    parts = packets_of(frame_ms, 360 // frame_ms)
    joiner = PacketJoiner(60)
    joined = [packet for part in parts for packet in joiner.feed(part)]
    decoder, other = OpusDecoder(24_000), OpusDecoder(24_000)
    assert [decoder.packet_duration_ms(packet) for packet in joined] == [60] * 6
    assert [decoder.decode(packet) for packet in joined] == [
        b"".join(other.decode(part) for part in parts[at : at + 60 // frame_ms])
        for at in range(0, len(parts), 60 // frame_ms)
    ]
    assert joiner.flush() == []


def test_what_is_left_is_filled_up_with_frames_that_are_left_out() -> None:
    joiner = PacketJoiner(60)
    assert joiner.feed(packets_of(20, 1)[0]) == []
    (packet,) = joiner.flush()
    assert OpusDecoder(24_000).packet_duration_ms(packet) == 60
    assert len(OpusDecoder(24_000).decode(packet)) == 2880
    assert joiner.flush() == []


def test_a_packet_of_another_kind_ends_the_one_that_was_begun() -> None:
    joiner = PacketJoiner(60)
    assert joiner.feed(bytes([MONO_20_MS]) + b"a" * 300) == []
    (ended,) = joiner.feed(bytes([MONO_20_MS + 32]) + b"b")
    assert ended == bytes([MONO_20_MS + 3, 0x83, 252, 12, 0]) + b"a" * 300
    assert OpusDecoder(24_000).packet_duration_ms(ended) == 60
    assert joiner.flush() == [bytes([MONO_20_MS + 35, 0x83, 1, 0]) + b"b"]


def test_a_packet_of_the_whole_length_is_passed_as_it_is() -> None:
    packet = bytes([3 << 3]) + b"of 60 ms"
    assert PacketJoiner(60).feed(packet) == [packet]


@pytest.mark.parametrize("first", [MONO_20_MS + 4, MONO_20_MS + 1, MONO_20_MS + 3, 2 << 3])
def test_stereo_packets_of_several_frames_and_those_that_do_not_fit_are_refused(first: int) -> None:
    packet = bytes([first]) + b"abc"
    assert not is_joinable(packet, 60)
    with pytest.raises(AudioError, match="not one mono frame"):
        PacketJoiner(60).feed(packet)
    assert not is_joinable(b"", 60)
