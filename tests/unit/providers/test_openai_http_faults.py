"""The OpenAI dialect spoken badly: every fault becomes the error of whoever can do something about it."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncGenerator
from typing import TypeVar

import aiohttp
import pytest
from aiohttp import web

from dispatcher.errors import (
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceRefused,
    InstanceUnreachable,
)
from dispatcher.providers.http import MAX_ANSWER_BYTES, MAX_LINE_BYTES
from tests.support.services.openai import (
    DONE,
    FakeOpenAi,
    event,
    reset,
    rest_for_ever,
    says,
    serving_openai,
)

Piece = TypeVar("Piece")
HTML = "<!doctype html><title>Welcome to nginx!</title>"


@pytest.fixture
async def impatient_openai() -> AsyncGenerator[FakeOpenAi]:
    """A server whose client waits a twentieth of a second for the next byte."""
    timeout = aiohttp.ClientTimeout(sock_read=0.05)
    async with serving_openai(aiohttp.ClientSession(timeout=timeout)) as running:
        yield running


async def collect(stream: AsyncGenerator[Piece, None], pieces: list[Piece]) -> None:
    """Put what a stream yields into a list, which then holds what came before an error."""
    async for piece in stream:
        pieces.append(piece)  # noqa: PERF401  a comprehension would be lost with the error


async def spoken_before(stream: AsyncGenerator[Piece, None], error: type[InstanceError]) -> list[Piece]:
    """Return what a stream said before it failed in this way."""
    pieces: list[Piece] = []
    with pytest.raises(error):
        await collect(stream, pieces)
    return pieces


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, InstanceRefused) for status in (400, 413, 415, 422)),
        *((status, InstanceForbidden) for status in (401, 402, 403, 404)),
        *((status, InstanceBusy) for status in (429, 503)),
        *((status, InstanceFailed) for status in (500, 502, 504, 529)),
    ],
)
async def test_a_status_tells_whose_fault_it_is(
    openai: FakeOpenAi, status: int, error: type[InstanceError]
) -> None:
    openai.answers('{"error": "because"}', status=status)

    for call in (openai.transcribe(), anext(openai.chat()), anext(openai.speech())):
        with pytest.raises(error, match=rf"HTTP {status}: .*because") as raised:
            await call
        assert type(raised.value) is error


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("7", 7.0), ("0", 0.0), ("", None), ("soon", None), ("-1", None), ("²", None)),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
async def test_a_busy_instance_says_when_to_come_back(
    openai: FakeOpenAi, value: str, seconds: float | None
) -> None:
    openai.answers("", status=429, Retry_After=value)

    with pytest.raises(InstanceBusy) as raised:
        await openai.transcribe()
    assert raised.value.retry_after_s == seconds


async def test_a_busy_instance_need_not_say_when_to_come_back(openai: FakeOpenAi) -> None:
    openai.answers("", status=503)

    with pytest.raises(InstanceBusy) as raised:
        await openai.transcribe()
    assert raised.value.retry_after_s is None


async def test_a_long_error_page_is_shown_in_part(openai: FakeOpenAi) -> None:
    openai.answers("x" * 100_000, status=500)

    with pytest.raises(InstanceFailed) as raised:
        await openai.transcribe()
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "body",
    [
        *(
            HTML,
            "",
            "{",
            "[]",
            "null",
            "{}",
            '{"text": null}',
            '{"code": 500, "msg": "inner error", "data": "Traceback"}',
            '{"error": "x"}',
        ),
        *(b"\xff\xfe", "[" * 200_000, json.dumps({"text": "x" * MAX_ANSWER_BYTES})),
    ],
)
async def test_no_transcript_is_the_instances_fault(openai: FakeOpenAi, body: bytes | str) -> None:
    openai.answers(body)

    with pytest.raises(InstanceFailed):
        await openai.transcribe()


@pytest.mark.parametrize(
    "stream",
    [
        HTML.encode(),
        b"",
        b": ping\n\n: ping\n\n",
        b"event: message\n\n",
    ],
    ids=["html", "empty", "comments", "no data"],
)
async def test_a_stream_without_any_event_is_the_instances_fault(openai: FakeOpenAi, stream: bytes) -> None:
    openai.streams(stream)

    with pytest.raises(InstanceFailed, match="held no event, it began with"):
        await anext(openai.chat())


@pytest.mark.parametrize(
    "broken",
    [
        event(error={"message": "out of memory"}),
        event(error="out of memory", choices=[]),
        event(choices=[{"delta": {}, "finish_reason": "error"}]),
    ],
)
async def test_an_error_in_the_stream_ends_the_reply_after_what_came_before(
    openai: FakeOpenAi, broken: bytes
) -> None:
    openai.streams(says("It is "), broken, says("noon."), DONE)

    assert await spoken_before(openai.chat(), InstanceFailed) == ["It is "]


@pytest.mark.parametrize(
    "broken",
    [
        b"data: {\n\n",
        b"data: <html>\n\n",
        b"data: [1]\n\n",
        b"data: " + b"[" * 200_000 + b"\n\n",
        event(choices={}) + event(choices="text"),
        event(choices=[{"delta": {"content": 12}}]),
        event(choices=["Noon."]),
    ],
)
async def test_data_that_is_no_chunk_is_passed_over(openai: FakeOpenAi, broken: bytes) -> None:
    openai.streams(says("It is "), broken, says("noon."), DONE)

    assert [piece async for piece in openai.chat()] == ["It is ", "noon."]


async def test_a_stream_of_nothing_but_what_is_no_chunk_is_the_instances_fault(openai: FakeOpenAi) -> None:
    openai.streams(b"data: <html>\n\n" * 3, DONE)

    with pytest.raises(InstanceFailed, match="chunk was b'<html>'"):
        await anext(openai.chat())


async def test_what_an_error_event_says_is_said_on(openai: FakeOpenAi) -> None:
    openai.streams(event(error={"message": "out of memory"}))

    with pytest.raises(InstanceFailed, match="out of memory"):
        await anext(openai.chat())


async def test_a_line_without_an_end_is_not_kept(openai: FakeOpenAi) -> None:
    piece = b"x" * 16_384
    openai.streams(
        says("It is "), b"data: ", *[piece] * (MAX_LINE_BYTES // len(piece) + 2), then=rest_for_ever
    )

    assert await spoken_before(openai.chat(), InstanceFailed) == ["It is "]


async def test_nobody_who_listens_is_a_retryable_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with serving_openai() as openai:
        openai.port = port
        for call in (openai.transcribe(), anext(openai.chat()), anext(openai.speech())):
            with pytest.raises(InstanceUnreachable):
                await call


async def test_a_connection_that_is_reset_before_the_answer_may_be_tried_elsewhere(
    openai: FakeOpenAi,
) -> None:
    async def hang_up(request: web.Request) -> web.Response:
        await reset(request)
        return web.Response()

    openai.does(hang_up)
    for call in (openai.transcribe(), anext(openai.chat()), anext(openai.speech())):
        with pytest.raises(InstanceError) as raised:
            await call
        assert raised.value.retryable
        assert raised.value.origin == "theirs"


async def test_a_reply_that_is_reset_in_its_middle_is_a_broken_stream(openai: FakeOpenAi) -> None:
    openai.streams(says("It is "), then=reset)

    assert await spoken_before(openai.chat(), InstanceFailed) == ["It is "]


async def test_speech_that_is_reset_in_its_middle_is_a_broken_stream(openai: FakeOpenAi) -> None:
    openai.streams(b"\1\0" * 100, then=reset, content_type="audio/pcm")

    pieces = await spoken_before(openai.speech(), InstanceFailed)

    assert b"".join(pieces) == b"\1\0" * 100


async def test_a_transcript_that_is_reset_in_its_middle_is_a_broken_answer(openai: FakeOpenAi) -> None:
    openai.streams(b'{"text": "Wh', then=reset, content_type="application/json")

    with pytest.raises(InstanceFailed):
        await openai.transcribe()


async def test_an_instance_that_falls_silent_is_out_of_reach(impatient_openai: FakeOpenAi) -> None:
    impatient_openai.streams(says("It is "), then=rest_for_ever)

    assert await spoken_before(impatient_openai.chat(), InstanceUnreachable) == ["It is "]


@pytest.mark.parametrize(
    "kind",
    [
        *("text/html", "text/plain", "application/json", "audio/mp4", "audio/flac", "audio/aac"),
        *("audio/webm", "video/mp4"),
    ],
)
async def test_what_is_no_speech_is_refused_unheard(openai: FakeOpenAi, kind: str) -> None:
    openai.streams(b"ID3 or <html>", content_type=kind)

    with pytest.raises(InstanceFailed, match=rf"speech came as {kind}, expected audio/pcm: b'ID3 or <html>'"):
        await anext(openai.speech())


@pytest.mark.parametrize("kind", ["audio/mpeg", "audio/wav", "audio/x-wav", "audio/ogg", "audio/opus"])
async def test_speech_that_is_not_what_it_claims_shows_how_it_began(openai: FakeOpenAi, kind: str) -> None:
    openai.streams(HTML.encode(), content_type=kind)

    with pytest.raises(InstanceFailed, match=r"speech as \w+: .*began with b'<!doctype html>"):
        await anext(openai.speech())


async def test_an_error_names_the_instance(openai: FakeOpenAi) -> None:
    openai.answers("", status=500)

    with pytest.raises(InstanceFailed, match=r"^asr-1: HTTP 500") as raised:
        await openai.transcribe()
    assert raised.value.instance == "asr-1"
