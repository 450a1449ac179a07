from __future__ import annotations

import io

import pytest

from dispatcher.bundled.engines import Language, Transcription
from dispatcher.bundled.request_errors import RequestError
from dispatcher.errors import AudioError
from tests.unit.bundled.instances import serving, utterance, wav_of

TRANSCRIBE = "/v1/audio/transcriptions"
WAV = wav_of(bytes(3200))


class Listener:
    """An ASR engine that notes what it is asked."""

    model = "listener"

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.asked: list[tuple[bytes, Language, str]] = []

    async def transcribe(self, wav: bytes, *, language: Language, prompt: str) -> Transcription:
        self.asked.append((wav, language, prompt))
        if self.fault:
            raise self.fault
        return Transcription(text="你好", language="zh", duration_s=0.1)


async def test_a_transcript_has_text_language_and_duration() -> None:
    async with serving("asr", Listener()) as client:
        answer = await (await client.post(TRANSCRIBE, data=utterance(WAV, model="whisper-1"))).json()
    assert answer == {"text": "你好", "language": "zh", "duration": 0.1}


async def test_verbose_json_has_the_language_too() -> None:
    async with serving("asr", Listener()) as client:
        wanted = utterance(WAV, response_format="verbose_json")
        answer = await (await client.post(TRANSCRIBE, data=wanted)).json()
    assert answer["language"] == "zh"
    assert answer["task"] == "transcribe"


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("English", "en"),
        ("zh_CN", "zh"),
        ("chinese", "zh"),
        ("", "auto"),
        ("auto", "auto"),
    ],
)
async def test_the_engine_gets_the_file_and_the_language_in_one_spelling(
    said: str, language: Language
) -> None:
    engine = Listener()
    async with serving("asr", engine) as client:
        await client.post(TRANSCRIBE, data=utterance(WAV, language=said, prompt="Xiaozhi"))
    assert engine.asked == [(WAV, language, "Xiaozhi")]


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"language": "fr"}, "language", "language was \"fr\"; expected 'auto', 'en' or 'zh'"),
        ({"response_format": "srt"}, "response_format", "expected 'json' or 'verbose_json'"),
        ({"prompt": "x" * 1001}, "prompt", "expected at most 1000 characters"),
    ],
)
async def test_a_wrong_field_is_named(fields: dict[str, str], param: str, message: str) -> None:
    async with serving("asr", Listener()) as client:
        answer = await client.post(TRANSCRIBE, data=utterance(WAV, **fields))
        error = (await answer.json())["error"]
    assert answer.status == 400
    assert error["param"] == param
    assert message in error["message"]


async def test_a_form_without_a_file_is_refused() -> None:
    async with serving("asr", Listener()) as client:
        answer = await client.post(TRANSCRIBE, data=utterance(None, model="whisper-1"))
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == "file"


async def test_audio_that_cannot_be_read_is_the_callers_fault() -> None:
    async with serving("asr", Listener(AudioError("starts with b'ID3'; expected WAV"))) as client:
        answer = await client.post(TRANSCRIBE, data=utterance(b"ID3"))
        error = (await answer.json())["error"]
    assert answer.status == 400
    assert error["message"] == "file: starts with b'ID3'; expected WAV"


async def test_a_full_instance_says_when_to_come_back() -> None:
    async with serving("asr", Listener(RequestError.busy("all slots are taken"))) as client:
        answer = await client.post(TRANSCRIBE, data=utterance(WAV))
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"


async def test_json_instead_of_a_form_is_refused() -> None:
    async with serving("asr", Listener()) as client:
        answer = await client.post(TRANSCRIBE, json={"file": "x"})
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "invalid_form"


async def test_a_file_over_the_limit_is_refused() -> None:
    async with serving("asr", Listener()) as client:
        answer = await client.post(TRANSCRIBE, data=io.BytesIO(bytes(26 * 1024 * 1024)))
        assert answer.status == 413
