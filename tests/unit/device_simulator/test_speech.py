"""Speech as a device sends it."""

from __future__ import annotations

import asyncio
import math
from itertools import islice

import pytest

from dispatcher.audio.opus import OpusDecoder
from dispatcher.audio.pcm import level_dbfs, read_wav
from dispatcher.device_simulator import DeviceOptions, paced, packets_of
from dispatcher.device_simulator.options import FrameMs
from dispatcher.device_simulator.speech import silence
from dispatcher.errors import AudioError
from dispatcher.recordings import recording


@pytest.mark.parametrize("frame_ms", [20, 60])
def test_packets_hold_the_whole_recording_in_the_devices_frames(frame_ms: FrameMs) -> None:
    wav = recording("hello.wav")
    pcm, rate_hz = read_wav(wav)

    packets = packets_of(wav, DeviceOptions(frame_ms=frame_ms))

    decoder = OpusDecoder(16_000)
    heard = [decoder.decode(packet) for packet in packets]
    assert {len(frame) for frame in heard} == {16 * frame_ms * 2}
    assert len(heard) == math.ceil(len(pcm) / 2 / rate_hz * 1000 / frame_ms)
    assert level_dbfs(b"".join(heard)) == pytest.approx(level_dbfs(pcm), abs=1.5)


def test_pcm_devices_send_the_samples_themselves() -> None:
    wav = recording("hello.wav")

    packets = packets_of(wav, DeviceOptions(audio_format="pcm"))

    sent = b"".join(packets)
    pcm, _ = read_wav(wav)
    assert sent.startswith(pcm)
    assert {len(packet) for packet in packets} == {1920}


def test_a_recording_at_another_rate_is_resampled() -> None:
    packets = packets_of(recording("sorry_en.wav"), DeviceOptions(audio_format="pcm"))

    pcm, rate_hz = read_wav(recording("sorry_en.wav"))
    assert len(packets) * 0.06 == pytest.approx(len(pcm) / 2 / rate_hz, abs=0.07)


def test_what_is_no_wav_is_refused() -> None:
    with pytest.raises(AudioError, match="WAV"):
        packets_of(b"ID3 music", DeviceOptions())


def test_silence_is_one_byte_a_frame_after_400_ms_with_an_update_in_between() -> None:
    packets = list(islice(silence(DeviceOptions(frame_ms=20)), 60))

    sizes = [len(packet) for packet in packets]
    assert all(size > 2 for size in sizes[:20])
    assert sizes[20:39] == [1] * 19
    assert sizes[39] > 2
    assert sizes[40:59] == [1] * 19


@pytest.mark.parametrize("frame_ms", [20, 60])
def test_one_byte_of_silence_decodes_to_a_whole_frame(frame_ms: FrameMs) -> None:
    room = silence(DeviceOptions(frame_ms=frame_ms))
    decoder = OpusDecoder(16_000)

    frames = [decoder.decode(packet) for packet in islice(room, 60)]

    assert {len(frame) for frame in frames} == {16 * frame_ms * 2}
    assert level_dbfs(b"".join(frames)) < -60


def test_silence_without_dtx_is_sent_in_full() -> None:
    assert all(len(packet) > 2 for packet in islice(silence(DeviceOptions(dtx=False)), 20))


def test_pcm_silence_is_zeros() -> None:
    assert set(islice(silence(DeviceOptions(audio_format="pcm")), 20)) == {bytes(1920)}


async def test_a_packet_is_there_when_its_frame_is_over_and_delay_does_not_add_up() -> None:
    clock = asyncio.get_running_loop().time
    begun_s = clock()
    at_s = []
    async for _ in paced([b"x"] * 5, frame_ms=20):
        at_s.append(clock() - begun_s)
        await asyncio.sleep(0.01)

    # Never early; and the pause of the taker does not push the next packet back.
    assert all(when_s >= number * 0.02 - 0.002 for number, when_s in enumerate(at_s, start=1))
    assert len(at_s) == 5
