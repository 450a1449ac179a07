"""SenseVoice by sherpa-onnx's real library, with a model that knows one word for whatever is loud."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.bundled.engines import Language, SpokenLanguage
from dispatcher.bundled.sensevoice import recognizer
from dispatcher.bundled.sensevoice.recognizer import SenseVoiceOptions, decoded_speech, load
from dispatcher.bundled.transcription_pool import DecodedSpeech
from dispatcher.errors import ConfigError, StartError
from dispatcher.recordings import recording
from tests.unit.bundled.instances import serving, utterance, wav_of
from tests.unit.bundled.sensevoice.sense_voice_files import EXPORT, needs_library

TRANSCRIBE = "/v1/audio/transcriptions"


async def test_an_utterance_is_transcribed_in_the_dialect_without_tags() -> None:
    needs_library()
    engine = load(SenseVoiceOptions(model_dir=str(EXPORT), slots=2))
    async with serving("asr", engine) as client:
        heard = await (await client.post(TRANSCRIBE, data=utterance(recording("hello.wav")))).json()
        silence = await (await client.post(TRANSCRIBE, data=utterance(wav_of(bytes(32_000))))).json()
        no_wav = await client.post(TRANSCRIBE, data=utterance(b"no sound"))
        models = await (await client.get("/v1/models")).json()
    assert set(heard["text"]) == {"好"}
    assert heard["language"] == "zh"
    assert heard["duration"] > 1
    assert silence["text"] == ""
    assert no_wav.status == 400
    assert models["data"][0]["id"] == "sensevoice-small"


async def test_several_threads_share_one_model_that_listens_for_one_language() -> None:
    needs_library()
    engine = load(SenseVoiceOptions(model_dir=str(EXPORT), language="en", slots=4))
    try:
        calls = (engine.transcribe(recording("hello.wav"), language="auto", prompt="") for _ in range(12))
        heard = await asyncio.gather(*calls)
    finally:
        engine.close()
    assert {each.language for each in heard} == {"en"}
    assert {word for each in heard for word in each.text.split()} == {"hello"}
    assert len({each.text for each in heard}) == 1


@pytest.mark.parametrize(
    ("written", "tag", "asked", "text", "language"),
    [
        ("你好。", "<|zh|>", "auto", "你好。", "zh"),
        ("食咗饭未", "<|yue|>", "en", "食咗饭未", "zh"),
        (" hello there", "<|en|>", "zh", "hello there", "en"),
        ("ha <|Laughter|>ha<|HAPPY|>", "<|en|>", "auto", "ha ha", "en"),
        ("本です", "<|ja|>", "auto", "本です", "zh"),
        ("안녕", "<|ko|>", "zh", "안녕", "zh"),
        ("okay", "", "auto", "okay", "en"),
        (".", "<|nospeech|>", "auto", "", "en"),
    ],
)
def test_tags_come_off_and_the_language_is_one_of_ours(
    written: str, tag: str, asked: Language, text: str, language: SpokenLanguage
) -> None:
    assert decoded_speech(written, tag, asked) == DecodedSpeech(text=text, language=language)


def test_a_language_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match="language=fr: expected auto, zh, yue, en, ja, ko"):
        SenseVoiceOptions(language="fr")


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognizer, "find_spec", lambda name: None if name == "sherpa_onnx" else object())
    with pytest.raises(
        StartError, match="sherpa-onnx not installed; `ASR_MODEL=sensevoice make run` does it"
    ):
        load(SenseVoiceOptions(model_dir=str(EXPORT)))
