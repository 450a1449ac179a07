"""The OpenAI dialect as it should be: what is asked, and what is made of the answers."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest
from aiohttp import web

from dispatcher.audio.wav import wav_bytes
from dispatcher.errors import InstanceFailed, InstanceForbidden, InstanceUnreachable
from dispatcher.messages import Language
from dispatcher.providers import openai_http
from tests.support.services.openai import DONE, FakeOpenAi, event, rest_for_ever, says
from tests.support.waiting import WAIT_TIMEOUT_S


async def test_an_utterance_is_sent_as_a_file_and_comes_back_as_text(openai: FakeOpenAi) -> None:
    openai.answers(json.dumps({"text": " 现在几点？ ", "language": "chinese"}))

    assert await openai.transcribe(b"RIFF-a-wav", model="base") == ("现在几点？", "zh")
    (asked,) = openai.asked
    assert asked.path == "/v1/audio/transcriptions"
    assert asked.body == {"file": b"RIFF-a-wav", "model": "base", "response_format": "verbose_json"}


async def test_the_model_has_a_default(openai: FakeOpenAi) -> None:
    openai.answers('{"text": ""}')

    assert await openai.transcribe() == ("", "auto")
    assert openai.asked[0].body["model"] == "whisper-1"


@pytest.mark.parametrize(
    ("device", "instance", "sent"),
    [
        ("zh", None, "zh"),
        ("zh", "en", "en"),
        ("auto", "en", "en"),
        ("zh", "auto", None),
        ("auto", None, None),
    ],
)
async def test_the_instances_own_language_wins_over_the_devices(
    openai: FakeOpenAi, device: Language, instance: Language | None, sent: str | None
) -> None:
    openai.answers('{"text": "Hi!"}')

    await openai.asr.transcribe(openai.instance("asr", language=instance), b"RIFF", device)

    assert openai.asked[0].body.get("language") == sent


@pytest.mark.parametrize(
    ("said", "language"),
    [
        *(("en", "en"), ("English", "en"), ("zh", "zh"), ("zh-CN", "zh"), ("Chinese", "zh"), ("yue", "zh")),
        *(("french", "auto"), (None, "auto"), (7, "auto"), ("", "auto")),
    ],
)
async def test_the_language_that_was_heard_is_understood(
    openai: FakeOpenAi, said: object, language: str
) -> None:
    openai.answers(json.dumps({"text": "Hi!", "language": said}))

    assert await openai.transcribe() == ("Hi!", language)


async def test_a_key_is_sent_where_the_instance_has_one(
    openai: FakeOpenAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_KEY", "secret")
    openai.answers('{"text": "Hi!"}')
    await openai.transcribe(api_key_env="HOUSE_KEY")
    await openai.transcribe()

    assert [asked.headers.get("Authorization") for asked in openai.asked] == ["Bearer secret", None]


async def test_a_reply_is_asked_for_as_a_stream_and_comes_in_pieces(openai: FakeOpenAi) -> None:
    openai.streams(says("It is "), says("noon."), DONE)

    assert [piece async for piece in openai.chat(model="small")] == ["It is ", "noon."]
    (asked,) = openai.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "small",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 400,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi!"}],
    }


async def test_chunks_without_text_and_comments_say_nothing(openai: FakeOpenAi) -> None:
    openai.streams(
        b": keep-alive\n\n",
        event(choices=[{"delta": {"role": "assistant"}}]),
        says(None),
        says(""),
        b"event: message\nid: 7\nretry: 10\n",
        says("Noon."),
        event(choices=[{"delta": {}, "finish_reason": "stop"}], error=None),
        event(choices=[], usage={"total_tokens": 9}),
        DONE,
    )

    assert [piece async for piece in openai.chat()] == ["Noon."]


async def test_nothing_is_said_after_the_stream_said_it_is_done(openai: FakeOpenAi) -> None:
    openai.streams(says("Noon.") + DONE + says("Midnight."))

    assert [piece async for piece in openai.chat()] == ["Noon."]


async def test_a_stream_may_end_without_saying_so(openai: FakeOpenAi) -> None:
    openai.streams(says("Noon."))

    assert [piece async for piece in openai.chat()] == ["Noon."]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
async def test_a_stream_may_be_cut_at_any_byte(openai: FakeOpenAi, size: int, line_end: bytes) -> None:
    whole = b": hello\n\n" + says("现在是") + says("中午 🕛。") + b"data:" + says("!")[6:] + DONE
    whole = whole.replace(b"\n", line_end)
    openai.streams(*(whole[at : at + size] for at in range(0, len(whole), size)))

    assert [piece async for piece in openai.chat()] == ["现在是", "中午 🕛。", "!"]


async def test_speech_comes_as_pcm_while_it_is_made(openai: FakeOpenAi) -> None:
    openai.streams(b"\1\0" * 500, b"\2\0" * 500, content_type="audio/pcm")

    pieces = [piece async for piece in openai.speech(model="small", voice="anna")]

    assert b"".join(pieces) == b"\1\0" * 500 + b"\2\0" * 500
    (asked,) = openai.asked
    assert asked.path == "/v1/audio/speech"
    assert asked.body == {
        "model": "small",
        "input": "It is noon.",
        "voice": "anna",
        "response_format": "pcm",
    }


async def test_speech_is_asked_for_in_the_language_of_the_sentence(openai: FakeOpenAi) -> None:
    openai.streams(b"\0\0", content_type="audio/pcm")
    _ = [piece async for piece in openai.speech("zh")]

    assert openai.asked[0].body["language"] == "zh"
    assert openai.asked[0].body["voice"] == "default"


@pytest.mark.parametrize("kind", ["audio/pcm", "audio/L16", "application/octet-stream", "audio/basic"])
async def test_pcm_may_come_under_any_name_that_is_no_other_format(openai: FakeOpenAi, kind: str) -> None:
    openai.streams(b"\1\0", content_type=kind)

    assert [piece async for piece in openai.speech()] == [b"\1\0"]


async def test_closing_a_reply_closes_the_connection_to_the_instance(openai: FakeOpenAi) -> None:
    openai.streams(says("On and on"), then=rest_for_ever)

    async with aclosing(openai.chat()) as pieces:
        assert await anext(pieces) == "On and on"
        assert not openai.gone.is_set()

    await asyncio.wait_for(openai.gone.wait(), WAIT_TIMEOUT_S)


async def test_closing_speech_closes_the_connection_to_the_instance(openai: FakeOpenAi) -> None:
    openai.streams(b"\1\0", then=rest_for_ever, content_type="audio/pcm")

    async with aclosing(openai.speech()) as pieces:
        await anext(pieces)

    await asyncio.wait_for(openai.gone.wait(), WAIT_TIMEOUT_S)


async def test_cancelling_a_transcription_closes_the_connection_to_the_instance(openai: FakeOpenAi) -> None:
    begun = asyncio.Event()

    async def never_answer(request: web.Request) -> web.Response:
        begun.set()
        await rest_for_ever(request)
        return web.Response()

    openai.does(never_answer)
    hearing = asyncio.create_task(openai.transcribe())
    await asyncio.wait_for(begun.wait(), WAIT_TIMEOUT_S)
    hearing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await hearing
    await asyncio.wait_for(openai.gone.wait(), WAIT_TIMEOUT_S)


async def test_one_connection_serves_one_reply_after_the_other(openai: FakeOpenAi) -> None:
    async def end_later(_: web.Request) -> None:
        for _turn_of_the_loop in range(20):
            await asyncio.sleep(0)

    openai.streams(says("Noon."), DONE, then=end_later)
    for _ in range(5):
        _ = [piece async for piece in openai.chat()]

    assert len({asked.port for asked in openai.asked}) == 1


async def test_a_stream_that_is_done_and_does_not_end_is_left(openai: FakeOpenAi) -> None:
    openai.streams(says("Noon."), DONE, then=rest_for_ever)

    assert [piece async for piece in openai.chat()] == ["Noon."]
    await asyncio.wait_for(openai.gone.wait(), WAIT_TIMEOUT_S)


async def test_a_health_check_asks_for_health(openai: FakeOpenAi) -> None:
    openai.answers("{}")
    await openai.llm.check(openai.instance("llm"))

    assert [asked.path for asked in openai.asked] == ["/health"]


async def test_a_server_without_health_is_asked_for_its_models(openai: FakeOpenAi) -> None:
    async def models_only(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.path == "/v1/models" else 404)

    openai.does(models_only)
    await openai.llm.check(openai.instance("llm"))

    assert [asked.path for asked in openai.asked] == ["/health", "/v1/models"]


async def test_a_server_that_is_something_else_does_not_pass(openai: FakeOpenAi) -> None:
    with pytest.raises(InstanceForbidden, match="no such path"):
        await openai.llm.check(openai.instance("llm"))


async def test_a_server_that_is_not_well_does_not_pass(openai: FakeOpenAi) -> None:
    openai.answers("loading", status=500)

    with pytest.raises(InstanceFailed, match="loading"):
        await openai.llm.check(openai.instance("llm"))


async def test_a_server_that_hangs_does_not_pass(openai: FakeOpenAi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_http, "CHECK_TIMEOUT_S", 0.05)

    async def never_answer(request: web.Request) -> web.Response:
        await rest_for_ever(request)
        return web.Response()

    openai.does(never_answer)
    with pytest.raises(InstanceUnreachable, match="no answer in time"):
        await openai.llm.check(openai.instance("llm"))


async def test_a_voice_that_refuses_pcm_under_200_speaks_in_another_form(
    openai: FakeOpenAi,
) -> None:
    answers = [
        web.json_response({"error": {"message": "response_format pcm is not supported"}}),
        web.Response(body=wav_bytes(b"\1\0" * 2_400, 24_000), content_type="audio/wav"),
    ]

    async def handler(_: web.Request) -> web.Response:
        return answers.pop(0)

    openai.does(handler)

    assert b"".join([pcm async for pcm in openai.speech()]) == b"\1\0" * 2_400


async def test_pcm_of_two_channels_is_no_slower_than_it_was_said(openai: FakeOpenAi) -> None:
    """RFC 2586 names rate and channels beside audio/L16."""
    openai.answers(b"\1\0" * 4_800, Content_Type="audio/L16; rate=24000; channels=2")

    assert b"".join([pcm async for pcm in openai.speech()]) == b"\1\0" * 2_400
