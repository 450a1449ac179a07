"""Whole spoken turns against ASR and TTS servers that send what public reports describe."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import pytest

from dispatcher.audio.opus_frames import PacketJoiner
from dispatcher.audio.wav import wav_bytes
from dispatcher.catalogue.model import Instance
from dispatcher.messages import REPLY_FRAME_MS, Service, SpeechFormat
from dispatcher.providers.tts.ogg_packets import OggPackets
from tests.support.encoded import encoded
from tests.support.services.field import DONE, Answer, FieldServer, text_event
from tests.support.stack import Stack
from tests.support.waiting import soon

NOON: Final = "It is noon."
HALF_A_SECOND: Final = b"\x00\x10" * 12_000


async def _activate(
    stack: Stack, field: FieldServer, service: Service, name: str, speech: SpeechFormat | None = None
) -> None:
    own = stack.own_catalogue
    instance = Instance(
        name=name,
        service=service,
        endpoint=field.endpoint(name),
        model="field-model",
        max_concurrent=4,
        format=speech,
    )
    config = own.services[service]
    instances = (instance, *(replace(each, priority="standby") for each in config.instances))
    services = {**own.services, service: replace(config, instances=instances)}
    await stack.activate(replace(own, services=services))


@pytest.fixture
async def listener(field_stack: Stack, field: FieldServer) -> AsyncIterator[FieldServer]:
    """The field's ASR server in service; the timed ones stand by."""
    field.script.llm["heard"] = [Answer(parts=[text_event(NOON), DONE])]
    await _activate(field_stack, field, "asr", "asr-field")
    yield field
    await field_stack.activate(field_stack.own_catalogue)


@pytest.fixture
async def speaker(field_stack: Stack, field: FieldServer) -> AsyncIterator[FieldServer]:
    """The field's TTS server in service; the timed ones stand by."""
    field.script.llm["spoken"] = [Answer(parts=[text_event(NOON), DONE])]
    # A check may call it before a test says what it answers, and would learn refusals from no answer.
    field.script.speech = Answer(content_type="audio/pcm", parts=[HALF_A_SECOND])
    await _activate(field_stack, field, "tts", "tts-field")
    yield field
    await field_stack.activate(field_stack.own_catalogue)


async def test_a_model_that_refuses_verbose_json_transcribes(
    field_stack: Stack, listener: FieldServer
) -> None:
    """vercel/ai #8214, lfnovo/esperanto #204: only json and text with gpt-4o-mini-transcribe."""
    listener.script.refused_formats = ("verbose_json",)
    listener.script.transcript = {"text": "case: heard"}
    async with field_stack.front.device("asr-refusing") as device:
        for _ in range(2):
            answer = await device.says()
            assert answer.transcript == "case: heard"
            assert answer.sentences == ("It is noon.",)
    formats = [each.body["response_format"] for each in listener.calls if each.instance == "asr-field"]
    # The health check, which has no page to look at here, asks once on its own account.
    assert formats.count("verbose_json") <= 2, "a process asks once for what is refused"
    assert formats[-1] == "json"


async def test_the_tags_of_sensevoice_are_not_what_the_user_said(
    field_stack: Stack, listener: FieldServer
) -> None:
    """Xinnan PR #2378: SenseVoice behind an OpenAI address."""
    listener.script.transcript = {"text": "<|en|><|NEUTRAL|><|Speech|><|woitn|>case: heard"}
    async with field_stack.front.device("asr-sensevoice") as device:
        answer = await device.says()
    assert answer.transcript == "case: heard"


@pytest.mark.parametrize(
    "transcript",
    [
        {"text": "。"},
        {"text": "..."},
        {"text": "(silence)"},
        {"text": "[BLANK_AUDIO]"},
        {
            "text": "Thank you for watching!",
            "segments": [{"no_speech_prob": 0.95, "avg_logprob": -0.9, "text": "Thank you for watching!"}],
        },
        {"text": "<|zh|><|NEUTRAL|><|BGM|><|woitn|>"},
    ],
    ids=lambda transcript: transcript["text"][:16],
)
async def test_noise_is_not_answered(
    field_stack: Stack, listener: FieldServer, transcript: dict[str, Any]
) -> None:
    """PocketShell #452, godot-whisper #20, xinnan PR #1498."""
    listener.script.transcript = transcript
    name = f"asr-noise-{abs(hash(transcript['text'])) % 10_000}"
    async with field_stack.front.device(name) as device:
        await device.begins_to_say()

        async def is_over() -> bool:
            return any(turn["device"] == name for turn in field_stack.front.events("turn finished"))

        await soon(is_over, what="the turn is over")
    assert not [each for each in listener.calls if "messages" in each.body]


async def test_a_voice_that_refuses_pcm_speaks(field_stack: Stack, speaker: FieldServer) -> None:
    """lucasjinreal/Kokoros #63, wyoming_openai #72: WAV whatever was asked."""
    wav = wav_bytes(HALF_A_SECOND, 24_000)
    speaker.script.speech = Answer(
        content_type="audio/wav",
        parts=[wav],
        refuses=lambda body: "unsupported response_format" if body["response_format"] == "pcm" else "",
    )
    async with field_stack.front.device("tts-wav") as device:
        answer = await device.types("case: spoken")
    assert answer.sentences == ("It is noon.",)
    asked = [
        each.body for each in speaker.calls if each.instance == "tts-field" and each.body["input"] == NOON
    ]
    # Where the health check was there first, the worker has learned from it already.
    assert [body["response_format"] for body in asked] in (["pcm", "wav"], ["wav"])


async def test_opus_of_a_voice_reaches_the_device_as_it_was_made(
    field_stack: Stack, speaker: FieldServer
) -> None:
    await _activate(field_stack, speaker, "tts", "tts-opus", "opus")
    file = encoded("ogg", "libopus", 48_000)
    speaker.script.llm["opus"] = [Answer(parts=[text_event("It is played as it came."), DONE])]
    speaker.script.speech = Answer(content_type="audio/ogg", parts=[file])
    async with field_stack.front.device("tts-opus") as device:
        answer = await device.types("case: opus")
    joiner = PacketJoiner(REPLY_FRAME_MS)
    _, _, *made = OggPackets().feed(file)
    joined = [packet for each in made for packet in joiner.feed(each)] + joiner.flush()
    assert list(answer.packets) == joined


async def test_an_error_that_is_sent_as_audio_is_not_played(field_stack: Stack, speaker: FieldServer) -> None:
    """A proxy that answers 200 with octet-stream whatever its server said: it was played as a click."""
    error = json.dumps({"error": {"message": "voice not found", "code": 404}}).encode()
    speaker.script.speech = Answer(content_type="application/octet-stream", parts=[error])
    since_byte = field_stack.front.printed_bytes()
    async with field_stack.front.device("tts-error") as device:
        answer = await device.types("case: spoken")
    assert answer.sentences == ("It is noon.",)
    (turn,) = field_stack.front.events("turn finished", since_byte)
    assert turn["tts_instance"] != "tts-field"
