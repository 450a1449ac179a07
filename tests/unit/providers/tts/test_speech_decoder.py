"""Speech in every form that services send becomes the same 24 kHz PCM, however it was sliced."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceFailed, InstanceForbidden
from dispatcher.messages import SpeechFormat
from dispatcher.providers import tts
from dispatcher.providers.tts.speech_decoder import Form, decoded
from tests.support.encoded import as_numbers, encoded, likeness, slices, speech, wav

TTS = Instance(service="tts", name="tts-1", endpoint="http://127.0.0.1/v1")
MP3 = encoded("mp3", "libmp3lame", 24_000)
OPUS = encoded("ogg", "libopus", 48_000)


async def heard(data: bytes, kind: SpeechFormat, *, slice_bytes: int = 417, rate_hz: int = 24_000) -> bytes:
    """Return what a device would hear of these bytes."""

    async def sent() -> AsyncGenerator[bytes, None]:
        for piece in slices(data, slice_bytes):
            yield piece

    stream = decoded(TTS, sent(), Form(kind=kind, sample_rate_hz=rate_hz))
    return b"".join([pcm async for pcm in stream])


@pytest.mark.parametrize("slice_bytes", [3, 417, 100_000])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (MP3, "mp3"),
        (encoded("mp3", "libmp3lame", 44_100, "stereo"), "mp3"),
        (OPUS, "opus"),
        (encoded("ogg", "libopus", 16_000), "opus"),
        (wav(speech(), 24_000), "wav"),
        (wav(speech(16_000), 16_000, claims=0xFFFFFFFF), "wav"),
    ],
    ids=["mp3", "stereo mp3", "opus", "opus of 16 kHz", "wav", "wav of 16 kHz"],
)
async def test_each_form_is_the_same_speech(data: bytes, kind: SpeechFormat, slice_bytes: int) -> None:
    pcm = await heard(data, kind, slice_bytes=slice_bytes)

    assert likeness(pcm, speech()) > 0.95
    assert abs(len(pcm) - len(speech())) < 2 * 24_000 * 0.1


@pytest.mark.parametrize("slice_bytes", [3, 417, 100_000])
async def test_pcm_of_another_rate_is_resampled_without_seams(slice_bytes: int) -> None:
    pcm = await heard(speech(16_000), "pcm", rate_hz=16_000, slice_bytes=slice_bytes)

    assert likeness(pcm, speech()) > 0.999
    assert len(pcm) == pytest.approx(len(speech()), abs=4)


async def test_pcm_of_the_devices_rate_passes_unchanged() -> None:
    assert await heard(speech(), "pcm", slice_bytes=333) == speech()


async def test_stereo_is_averaged() -> None:
    sides = np.repeat(as_numbers(speech()).astype("<i2"), 2).tobytes()

    assert await heard(wav(sides, 24_000, channels=2), "wav") == speech()


async def test_float_samples_are_scaled_and_clipped() -> None:
    samples = np.array([0.0, 0.5, -0.5, 2.0, -2.0, np.nan], dtype="<f4").tobytes()

    pcm = await heard(wav(samples, 24_000, code=3, bits=32), "wav", slice_bytes=3)

    assert list(as_numbers(pcm)) == [0, 16_384, -16_384, 32_767, -32_768, 0]


async def test_what_stands_behind_the_samples_of_a_wav_is_not_played() -> None:
    samples = b"\1\0" * 100

    assert await heard(wav(samples, 24_000, claims=200) + b"LIST, a comment", "wav") == samples


@pytest.mark.parametrize("sent", [MP3, OPUS, wav(speech(), 24_000)], ids=["mp3", "opus", "wav"])
async def test_speech_that_begins_like_another_form_is_taken_for_that(sent: bytes) -> None:
    assert likeness(await heard(sent, "pcm" if sent != MP3 else "mp3"), speech()) > 0.95


async def test_tags_before_the_first_frame_are_passed_over() -> None:
    tag = b"ID3\4\0\0" + bytes([0, 0, 7, 0x68]) + b"TIT2" + b"\xff\0" * 498

    assert likeness(await heard(tag + MP3, "mp3"), speech()) > 0.95


@pytest.mark.parametrize("kind", ["mp3", "opus", "wav"])
@pytest.mark.parametrize(
    "nonsense",
    [
        b"<html>502 Bad Gateway</html>",
        b"\xff\xfb\x90\x00" * 500,
        b"RIFF",
        b"OggS" + b"\0" * 22 + b"\1\x05Hello",
        b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\1\0data\0\0\0\0",
        b"RIFF\0\0\0\0WAVE" + b"LIST\0\1\0\0" + b"\0" * 70_000,
        wav(b"\0" * 100, 24_000, code=6, bits=8),
        wav(b"\0" * 100, 24_000, channels=7),
        wav(b"\0" * 100, 12),
        wav(b"", 24_000),
        bytes(range(256)) * 40,
        (b"OggS" + b"\0" * 23) * 2_000,
    ],
)
async def test_nonsense_is_the_instances_fault_and_shows_its_first_bytes(
    kind: SpeechFormat, nonsense: bytes
) -> None:
    with pytest.raises(InstanceFailed) as raised:
        await heard(nonsense, kind)
    assert f"began with {nonsense[:4]!r}"[:-1] in raised.value.reason
    assert len(raised.value.reason) < 1200


@pytest.mark.parametrize(
    ("data", "kind"), [(MP3, "mp3"), (OPUS, "opus"), (wav(speech(), 24_000, claims=10**6), "wav")]
)
async def test_a_file_that_breaks_off_is_heard_up_to_there(data: bytes, kind: SpeechFormat) -> None:
    half = await heard(data[: len(data) // 2], kind)

    assert len(speech()) * 0.3 < len(half) < len(speech()) * 0.7


@pytest.mark.parametrize("kind", ["pcm", "wav", "mp3", "opus"])
async def test_a_sentence_for_which_no_sound_comes_is_spoken_by_another_instance(kind: SpeechFormat) -> None:
    """An empty 200: the sentence was shown, and nobody heard it."""
    with pytest.raises(InstanceFailed, match=r"the speech is empty|no sound|ended in its header"):
        await heard(b"", kind)


async def test_a_missing_package_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "dispatcher.providers.tts.compressed_speech")
    monkeypatch.delattr(tts, "compressed_speech")

    with pytest.raises(
        InstanceForbidden, match=r"mp3, which needs: pip install 'xiaozhi-dispatcher\[formats\]'"
    ):
        await heard(MP3, "mp3")


@pytest.mark.parametrize(("bits", "shift"), [(8, 8), (24, -8), (32, -16)])
async def test_a_wav_of_samples_of_another_width_is_the_same_sound(bits: int, shift: int) -> None:
    samples = np.frombuffer(speech(), "<i2").astype("<i4")
    if bits == 8:
        samples = samples >> shift << shift
        sent = ((samples >> shift) + 128).astype("u1").tobytes()
    else:
        wide = (samples << -shift).astype("<i4")
        sent = wide.view("u1").reshape(-1, 4)[:, : bits // 8].tobytes()

    pcm = await heard(wav(sent, 24_000, bits=bits), "wav", slice_bytes=1_001)

    assert pcm == samples.astype("<i2").tobytes()
