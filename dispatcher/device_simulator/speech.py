"""Speech as a device sends it: packets of its own frames, at the pace of a microphone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Final

from dispatcher.audio.opus import OpusEncoder, PacketEncoder, PcmPacketizer
from dispatcher.audio.pcm import read_wav, resample
from dispatcher.device_simulator.options import DeviceOptions
from dispatcher.messages import UPLINK_RATE_HZ

# An Opus encoder with DTX on sends silence in full for so long, then once in as long again.
FULL_SILENCE_MS: Final = 400
# One byte is the table of contents alone: SILK, wideband, mono, one frame of that length (RFC 6716, 3.1).
_DTX_PACKETS: Final = {20: b"\x48", 60: b"\x58"}


def packets_of(wav: bytes, options: DeviceOptions) -> list[bytes]:
    """Return a WAV file as the packets in which the device would send it.

    Raises:
        AudioError: not a WAV file that can be read.
    """
    pcm, sample_rate_hz = read_wav(wav)
    return encode(resample(pcm, sample_rate_hz, UPLINK_RATE_HZ), options)


def encode(pcm: bytes, options: DeviceOptions) -> list[bytes]:
    """Return s16le mono PCM at 16 kHz as the device's packets; the last is padded with silence."""
    cutter = packet_cutter(options)
    return [*cutter.feed(pcm), *cutter.flush()]


def packet_cutter(options: DeviceOptions) -> PacketEncoder | PcmPacketizer:
    """Return what turns 16 kHz PCM in any slices into the device's packets."""
    if options.audio_format == "pcm":
        return PcmPacketizer(UPLINK_RATE_HZ, options.frame_ms)
    return PacketEncoder(OpusEncoder(UPLINK_RATE_HZ, options.frame_ms))


def silence(options: DeviceOptions) -> Iterator[bytes]:
    """Yield a quiet room for ever, as the firmware's encoder sends it."""
    full = encode(bytes(UPLINK_RATE_HZ * options.frame_ms // 1000 * 2), options)[0]
    short = _DTX_PACKETS[options.frame_ms] if options.dtx and options.audio_format == "opus" else full
    per_update = FULL_SILENCE_MS // options.frame_ms
    for _ in range(per_update):
        yield full
    while True:
        for _ in range(per_update - 1):
            yield short
        yield full


async def paced(packets: Iterable[bytes], frame_ms: int) -> AsyncGenerator[bytes]:
    """Yield each packet when a microphone would have it: at the end of its frame.

    The clock is absolute: a late packet does not delay those after it.
    """
    clock = asyncio.get_running_loop().time
    begun_s = clock()
    for number, packet in enumerate(packets, start=1):
        wait_s = begun_s + number * frame_ms / 1000 - clock()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        yield packet
