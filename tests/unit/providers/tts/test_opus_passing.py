from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from dispatcher.audio import packets
from dispatcher.audio.opus import OpusDecoder
from dispatcher.audio.opus_frames import OpusPackets
from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceFailed
from dispatcher.providers.tts.speech_decoder import Form, decoded
from tests.support.encoded import encoded, likeness, slices, speech

TTS = Instance(service="tts", name="tts-1", endpoint="http://127.0.0.1/v1", format="opus")
OPUS = encoded("ogg", "libopus", 48_000)


async def passed(data: bytes, *, slice_bytes: int = 417) -> list[bytes]:
    """Return the pieces of speech for a device that plays Opus."""

    async def sent() -> AsyncGenerator[bytes, None]:
        for piece in slices(data, slice_bytes):
            yield piece

    return [piece async for piece in decoded(TTS, sent(), Form(kind="opus", may_pass=True))]


@pytest.mark.parametrize("slice_bytes", [3, 417, 100_000])
async def test_opus_of_a_service_is_played_as_it_is(slice_bytes: int) -> None:
    pieces = await passed(OPUS, slice_bytes=slice_bytes)
    assert all(isinstance(piece, OpusPackets) for piece in pieces)
    made = [packet for piece in pieces for packet in packets.unpack(piece)]
    decoder = OpusDecoder(24_000)
    assert {decoder.packet_duration_ms(packet) for packet in made} == {60}
    assert likeness(b"".join(decoder.decode(packet) for packet in made), speech()) > 0.9


async def test_stereo_is_decoded() -> None:
    pieces = await passed(encoded("ogg", "libopus", 48_000, "stereo"))
    assert not any(isinstance(piece, OpusPackets) for piece in pieces)
    assert likeness(b"".join(pieces), speech()) > 0.9


async def test_a_gain_that_a_decoder_would_have_to_apply_is_decoded() -> None:
    at = OPUS.index(b"OpusHead") + 16
    pieces = await passed(OPUS[:at] + b"\x01" + OPUS[at + 1 :])
    assert not any(isinstance(piece, OpusPackets) for piece in pieces)


async def test_what_is_no_opus_is_an_error_as_ever() -> None:
    with pytest.raises(InstanceFailed, match="is no Opus"):
        await passed(OPUS.replace(b"OpusHead", b"VorbHead"))


async def test_a_stream_that_turns_to_stereo_is_an_error() -> None:
    stereo = encoded("ogg", "libopus", 48_000, "stereo")
    with pytest.raises(InstanceFailed, match="changes its form in its middle"):
        await passed(OPUS + stereo)
