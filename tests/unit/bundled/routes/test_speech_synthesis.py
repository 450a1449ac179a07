from __future__ import annotations

import io
import wave
from typing import Any

import pytest

from tests.unit.bundled.instances import serving, timed
from tests.unit.bundled.voices.tone_voices import voices_engine

SPEAK = "/v1/audio/speech"
QUICK = {"first_audio_s": "0", "s_per_audio_s": "0"}


async def test_pcm_is_raw_samples_and_says_of_which_kind() -> None:
    async with timed("tts", **QUICK) as client:
        answer = await client.post(
            SPEAK, json={"input": "0123456789", "voice": "any", "response_format": "pcm"}
        )
        pcm = await answer.read()
    assert answer.content_type == "audio/pcm"
    assert answer.headers["X-Audio-Format"] == "s16le; rate=24000; channels=1"
    assert len(pcm) == round(10 * 0.065 * 48_000)


async def test_wav_is_a_whole_file() -> None:
    async with timed("tts", **QUICK) as client:
        answer = await client.post(SPEAK, json={"input": "0123456789", "response_format": "wav"})
        with wave.open(io.BytesIO(await answer.read())) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
            assert file.getnframes() == 15_600


async def test_twice_the_speed_is_half_the_audio() -> None:
    async with timed("tts", **QUICK) as client:
        answer = await client.post(SPEAK, json={"input": "01234567", "speed": 2, "response_format": "pcm"})
        assert len(await answer.read()) == round(4 * 0.065 * 48_000)


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "input", "input is missing"),
        ({"input": ""}, "input", 'input was ""; expected at least 1 characters'),
        ({"input": "x" * 4097}, "input", "expected at most 4096 characters"),
        ({"input": "x", "response_format": "mp3"}, "response_format", "was \"mp3\"; expected 'pcm' or 'wav'"),
        ({"input": "x", "speed": 9}, "speed", "speed was 9; expected 2.0 or less"),
        ({"input": "x", "speed": "fast"}, "speed", 'speed was "fast"; expected a valid number'),
    ],
)
async def test_a_wrong_field_is_named(body: dict[str, Any], param: str, message: str) -> None:
    async with timed("tts", **QUICK) as client:
        answer = await client.post(SPEAK, json=body)
        error = (await answer.json())["error"]
    assert answer.status == 400
    assert error["param"] == param
    assert message in error["message"]


@pytest.mark.parametrize("format_", ["pcm", "wav"])
@pytest.mark.parametrize("text", ["🙂", "***", " \n", "。。。", "こんにちは"])
async def test_a_text_without_words_is_refused(text: str, format_: str) -> None:
    async with serving("tts", voices_engine()) as client:
        answer = await client.post(SPEAK, json={"input": text, "response_format": format_})
        error = (await answer.json())["error"]
    assert answer.status == 400
    assert error["param"] == "input"
    assert "expected words or numbers in Latin or Chinese script" in error["message"]
