"""An error that is sent as speech is no speech, and one form under the type of another is what it is."""

from __future__ import annotations

import json
import random

import pytest

from dispatcher.audio.wav import wav_bytes
from dispatcher.errors import AudioError
from dispatcher.messages import SpeechFormat
from dispatcher.providers.tts.speech_format import is_text, is_undecided, kind_of

# MPEG-2 layer III, 32 kbit/s at 24 kHz: frames of 96 bytes, as speech services send them without any tag.
MP3_FRAME = b"\xff\xf3\x44\xc4" + b"\0" * 92


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"error": {"message": "voice not found", "code": 404}}).encode(),
        b'{"code":3001,"message":"quota exceeded"}',
        b'\xef\xbb\xbf{"error": "bad"}',
        b"\r\n  {",
        b"<!doctype html><title>502 Bad Gateway</title>",
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        b"Internal Server Error",
        b"error",
        "\u7cfb\u7edf\u7e41\u5fd9\uff0c\u8bf7\u7a0d\u540e\u518d\u8bd5\uff0c\u8bf7\u6c42\u7f16\u53f7\u4e3a\u96f6\u96f6\u4e00".encode(),
    ],
)
def test_an_error_is_not_played_whatever_its_type_says(body: bytes) -> None:
    assert is_text(body)


def test_sound_is_no_text() -> None:
    noise = random.Random(7)
    assert not is_text(b"\0" * 600)
    assert not is_text(b"\x01\0\xff\xff" * 40)
    assert not any(is_text(noise.randbytes(64)) for _ in range(2_000))
    assert not is_text(b"RIFF")


@pytest.mark.parametrize("claimed", ["pcm", "wav", "mp3", "opus"])
@pytest.mark.parametrize(
    ("begun", "kind"),
    [
        (wav_bytes(b"\0" * 400, 24_000), "wav"),
        (b"OggS\0\x02" + b"\0" * 40, "opus"),
        (b"ID3\x04" + b"\0" * 40, "mp3"),
        (MP3_FRAME * 3, "mp3"),
    ],
)
def test_speech_is_what_its_first_bytes_show(begun: bytes, kind: SpeechFormat, claimed: SpeechFormat) -> None:
    assert kind_of(begun, claimed) == kind


def test_samples_that_begin_like_a_frame_of_mp3_stay_samples() -> None:
    assert kind_of(b"\xff\xf3\x44\xc4" + b"\x01\0" * 300, "pcm") == "pcm"
    assert kind_of(b"\xff\xfb\x00\x00" + b"\0" * 600, "pcm") == "pcm"
    assert kind_of(b"\xff\xff" * 300, "pcm") == "pcm"


@pytest.mark.parametrize(
    "begun",
    [
        *(b"fLaC\0\0\0\x22" + b"\0" * 40, b"\x1aE\xdf\xa3" + b"\0" * 40, b"\0\0\0\x20ftypM4A " + b"\0" * 40),
        b"\xff\xf1\x50\x80" + b"\0" * 600,
    ],
)
def test_a_form_that_is_not_read_is_named(begun: bytes) -> None:
    with pytest.raises(AudioError, match=r"it is (FLAC|WebM|MP4|AAC), expected PCM, WAV, MP3 or Ogg Opus"):
        kind_of(begun, "mp3")


@pytest.mark.parametrize(
    ("begun", "certain", "undecided"),
    [
        *((b"", True, True), (b"\x01", True, False), (b"\x01\0", False, True), (b"\x01\0" * 4, False, False)),
        *(
            (b"{", True, True),
            (b'{"error"', False, True),
            (b"{" * 64, False, False),
            (b"\xff\xf3", False, True),
        ),
        *((MP3_FRAME, False, True), (b"\xff\xff" * 4, False, False)),
    ],
)
def test_the_first_samples_are_not_held_back_longer_than_needed(
    begun: bytes, *, certain: bool, undecided: bool
) -> None:
    assert is_undecided(begun, certain=certain) is undecided
