from __future__ import annotations

import asyncio

import numpy as np
import pytest

from dispatcher.audio.pcm import level_dbfs, to_float32
from dispatcher.bundled.timed_engines import ANSWER, TimedTtsOptions, hum
from tests.unit.bundled.instances import asking, events_of, text_of, timed, utterance, wav_of

CHAT = "/v1/chat/completions"
SPEAK = "/v1/audio/speech"
TRANSCRIBE = "/v1/audio/transcriptions"


async def test_asr_hears_the_same_words_and_knows_the_length() -> None:
    wav = wav_of(bytes(2 * 16_000 * 3))
    async with timed("asr", delay_s="0", text="Hello") as client:
        answer = await (await client.post(TRANSCRIBE, data=utterance(wav))).json()
    assert answer == {"text": "Hello", "language": "en", "duration": 3.0}


async def test_asr_answers_in_the_language_it_is_asked_in() -> None:
    async with timed("asr", delay_s="0") as client:
        form = utterance(wav_of(bytes(320)), language="zh")
        assert (await (await client.post(TRANSCRIBE, data=form)).json())["language"] == "zh"


@pytest.mark.parametrize("audio", [b"ID3 something that is no WAV file, but long enough to be one.", b"RIFF"])
async def test_asr_refuses_what_is_no_wav(audio: bytes) -> None:
    async with timed("asr", delay_s="0") as client:
        answer = await client.post(TRANSCRIBE, data=utterance(audio))
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == "file"


async def test_asr_waits_as_long_as_it_was_told() -> None:
    async with timed("asr", delay_s="0.05") as client:
        started_s = asyncio.get_running_loop().time()
        await client.post(TRANSCRIBE, data=utterance(wav_of(bytes(320))))
        assert asyncio.get_running_loop().time() - started_s >= 0.05


async def test_llm_streams_its_answer_in_tokens_of_the_given_size() -> None:
    async with timed("llm", first_token_s="0", tokens_per_s="10000", token_characters="5") as client:
        events = events_of(await (await client.post(CHAT, json=asking(stream=True))).text())
    assert text_of(events) == ANSWER
    assert text_of(events[:1]) == ANSWER[:5]


async def test_llm_takes_the_time_of_all_its_tokens() -> None:
    async with timed("llm", first_token_s="0.02", tokens_per_s="100", text="abcdefgh") as client:
        started_s = asyncio.get_running_loop().time()
        await (await client.post(CHAT, json=asking(stream=True))).text()
        assert asyncio.get_running_loop().time() - started_s >= 0.02 + 3 / 100


def test_a_whole_answer_gives_six_seconds_of_audio() -> None:
    assert len(ANSWER) * TimedTtsOptions().audio_s_per_character == pytest.approx(6, abs=0.1)


async def test_tts_slices_are_one_sound_without_a_seam() -> None:
    async with timed("tts", first_audio_s="0", s_per_audio_s="0", slice_s="0.07") as client:
        answer = await client.post(SPEAK, json={"input": "x" * 40, "response_format": "pcm"})
        pcm = await answer.read()
    assert len(pcm) == 2 * round(40 * 0.065 * 24_000)
    assert pcm == (hum() * 3)[: len(pcm)]


def test_the_hum_is_as_loud_as_speech_and_repeats_without_a_click() -> None:
    samples = to_float32(hum() * 2)
    assert -26 < level_dbfs(hum()) < -16
    assert abs(samples[24_000] - samples[23_999]) <= np.abs(np.diff(samples)).max()
    assert np.abs(samples).max() < 0.9
