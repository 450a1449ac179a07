"""Opus both ways, through the real libopus."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.audio.opus import OpusDecoder, OpusEncoder, PacketEncoder, PcmPacketizer
from dispatcher.audio.pcm import level_dbfs
from dispatcher.errors import AudioError
from tests.unit.audio.sounds import strongest_hz, tone

FRAME_BYTES = 2880
# Silence as a device with DTX sends it: SILK wideband, code 3 with one 60 ms frame; code 0 with none.
DTX_PACKETS = [b"\x58", b"\x5b\x01"]


def frames_of_tone(count: int) -> list[bytes]:
    return PcmPacketizer(24_000, 60).feed(tone(440, seconds=count * 0.06, rate_hz=24_000))


def test_a_tone_keeps_its_pitch_and_level_through_encoder_and_decoder() -> None:
    encoder, decoder = OpusEncoder(24_000, 60), OpusDecoder(24_000)
    frames = frames_of_tone(20)
    heard = b"".join(decoder.decode(encoder.encode(frame)) for frame in frames)
    assert len(heard) == 20 * FRAME_BYTES
    assert strongest_hz(heard, 24_000) == pytest.approx(440, abs=1)
    assert level_dbfs(heard) == pytest.approx(level_dbfs(b"".join(frames)), abs=1)


def test_the_decoder_gives_its_own_rate_whatever_the_rate_of_the_sender() -> None:
    packet = OpusEncoder(24_000, 60).encode(frames_of_tone(1)[0])
    assert len(OpusDecoder(16_000).decode(packet)) == 16_000 * 60 // 1000 * 2


@pytest.mark.parametrize("frame_ms", [5, 10, 20, 40, 60])
def test_a_packet_is_as_long_as_its_frame(frame_ms: int) -> None:
    encoder, decoder = OpusEncoder(16_000, frame_ms), OpusDecoder(16_000)
    packet = encoder.encode(bytes(encoder.frame_bytes))
    assert decoder.packet_duration_ms(packet) == frame_ms
    assert len(decoder.decode(packet)) == encoder.frame_bytes


@pytest.mark.parametrize("packet", DTX_PACKETS)
def test_a_packet_that_was_left_out_as_silence_decodes_to_silence(packet: bytes) -> None:
    decoder = OpusDecoder(16_000)
    pcm = decoder.decode(packet)
    assert len(pcm) == 16_000 * 60 // 1000 * 2
    assert decoder.packet_duration_ms(packet) == 60
    assert level_dbfs(pcm) < -60


def test_speech_takes_about_the_bytes_of_the_chosen_bit_rate() -> None:
    encoder = OpusEncoder(24_000, 60)
    sizes = [len(encoder.encode(frame)) for frame in frames_of_tone(50)]
    assert 200 <= sum(sizes) / len(sizes) <= 260


def test_silence_gives_packets_too() -> None:
    encoder = OpusEncoder(24_000, 60)
    assert all(len(encoder.encode(bytes(FRAME_BYTES))) > 2 for _ in range(50))


def test_a_reset_encoder_gives_the_packets_of_a_new_one() -> None:
    frames = frames_of_tone(5)
    used, new = OpusEncoder(24_000, 60), OpusEncoder(24_000, 60)
    for frame in frames:
        used.encode(frame)
    used.reset()
    assert [used.encode(frame) for frame in frames] == [new.encode(frame) for frame in frames]


@pytest.mark.parametrize("packet", [b"", b"\x5b", b"\x5b\x3f\x00"])
def test_what_is_not_opus_is_an_audio_error(packet: bytes) -> None:
    decoder = OpusDecoder(16_000)
    with pytest.raises(AudioError, match="Opus packet"):
        decoder.decode(packet)
    with pytest.raises(AudioError, match="Opus packet"):
        decoder.packet_duration_ms(packet)


def test_a_decoder_goes_on_after_a_packet_that_was_not_opus() -> None:
    encoder, decoder = OpusEncoder(16_000, 60), OpusDecoder(16_000)
    with pytest.raises(AudioError):
        decoder.decode(b"\x5b\x3f\x00")
    assert len(decoder.decode(encoder.encode(bytes(encoder.frame_bytes)))) == encoder.frame_bytes


def test_a_rate_or_frame_length_that_opus_does_not_know_is_named() -> None:
    with pytest.raises(AudioError, match="44100 Hz; Opus knows 8000, 12000"):
        OpusDecoder(44_100)
    with pytest.raises(AudioError, match="44100 Hz"):
        OpusEncoder(44_100, 60)
    with pytest.raises(AudioError, match="30 ms; expected one of 5, 10"):
        OpusEncoder(24_000, 30)


def test_a_frame_of_another_length_is_refused() -> None:
    with pytest.raises(AudioError, match="frame of 2878 bytes; 2880 expected"):
        OpusEncoder(24_000, 60).encode(bytes(FRAME_BYTES - 2))


@given(st.lists(st.binary(max_size=37)))
def test_frames_are_the_same_however_the_pcm_was_sliced(slices: list[bytes]) -> None:
    sliced, whole = PcmPacketizer(8_000, 1), PcmPacketizer(8_000, 1)
    frames = [frame for part in slices for frame in sliced.feed(part)] + sliced.flush()
    assert frames == whole.feed(b"".join(slices)) + whole.flush()
    assert all(len(frame) == 16 for frame in frames)
    assert b"".join(frames).startswith(b"".join(slices)[: sum(map(len, slices)) // 2 * 2])


def test_a_flush_pads_the_last_frame_with_silence_and_makes_ready_for_the_next_stream() -> None:
    packetizer = PcmPacketizer(8_000, 1)
    assert packetizer.feed(b"\x01" * 17) == [b"\x01" * 16]
    assert packetizer.flush() == []
    assert packetizer.feed(b"\x02" * 3) == []
    assert packetizer.flush() == [b"\x02\x02" + bytes(14)]
    assert packetizer.flush() == []


def test_packets_come_as_soon_as_their_frame_is_complete() -> None:
    encoder = PacketEncoder(OpusEncoder(24_000, 60))
    assert encoder.feed(bytes(FRAME_BYTES - 1)) == []
    assert len(encoder.feed(bytes(1 + FRAME_BYTES))) == 2
    assert encoder.flush() == []


def test_a_packet_encoder_serves_one_stream_after_the_other() -> None:
    sound = b"".join(frames_of_tone(3)) + bytes(11)
    encoder = PacketEncoder(OpusEncoder(24_000, 60))
    first = encoder.feed(sound) + encoder.flush()
    second = encoder.feed(sound) + encoder.flush()
    assert len(first) == 4
    assert second == first
