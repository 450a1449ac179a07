from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest

from dispatcher.bundled.engines import Call, Language, Message, Tool
from tests.unit.bundled.instances import Speaker, asking, events_of, serving, text_of

CHAT = "/v1/chat/completions"


class Endless(Speaker):
    """Speaks until somebody stops it."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = asyncio.Event()

    async def respond(
        self, messages: Sequence[Message], *, language: Language, tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[str | Call, None]:
        self.heard, self.language, self.tools = messages, language, tools
        try:
            while True:
                yield "more "
                await asyncio.sleep(0.001)
        finally:
            self.stopped.set()


async def lines_until_broken(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of a stream whose end never comes; fail when it does."""
    try:
        while line := await answer.content.readline():
            yield line
    except aiohttp.ClientPayloadError:
        return
    pytest.fail("the stream ended as if it were whole")


async def test_a_stream_is_its_tokens_and_an_end() -> None:
    async with serving("llm", Speaker("🙂", " Hello", '"quoted"\n')) as client:
        answer = await client.post(CHAT, json=asking(stream=True))
        events = events_of(await answer.text())
    assert answer.content_type == "text/event-stream"
    assert text_of(events) == '🙂 Hello"quoted"\n'
    assert events[-1] == "[DONE]"
    assert events[-2]["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "stop"}


async def test_an_empty_token_is_a_comment_in_the_stream() -> None:
    async with serving("llm", Speaker("", "x")) as client:
        answer = await client.post(CHAT, json=asking(stream=True))
        assert (await answer.text()).startswith(": keep-alive\n\ndata: {")


async def test_a_stream_tells_its_usage_when_asked() -> None:
    wanted = asking("two words", stream=True, stream_options={"include_usage": True})
    async with serving("llm", Speaker("a", "b", "c")) as client:
        events = events_of(await (await client.post(CHAT, json=wanted)).text())
    assert events[-2]["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


async def test_an_answer_in_one_piece() -> None:
    async with serving("llm", Speaker("Hello", "", " you")) as client:
        answer = await (await client.post(CHAT, json=asking())).json()
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "Hello you"}
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize(
    ("limit", "said", "reason"), [(1, "a", "length"), (2, "ab", "stop"), (3, "ab", "stop")]
)
async def test_a_limit_cuts_the_answer_and_says_so(limit: int, said: str, reason: str) -> None:
    async with serving("llm", Speaker("a", "b")) as client:
        answer = await (await client.post(CHAT, json=asking(max_tokens=limit))).json()
    assert answer["choices"][0]["message"]["content"] == said
    assert answer["choices"][0]["finish_reason"] == reason


async def test_the_engine_hears_parts_of_text_and_the_language() -> None:
    engine = Speaker("x")
    parts = [
        {"type": "text", "text": "one"},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "two"},
    ]
    messages = [{"role": "system", "content": None}, {"role": "user", "content": parts}]
    async with serving("llm", engine) as client:
        await client.post(CHAT, json={"messages": messages, "language": "zh"})
    assert [message.content for message in engine.heard] == ["", "one  two"]
    assert engine.language == "zh"


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "messages", "messages is missing"),
        ({"messages": []}, "messages", "messages was []; expected at least 1 of them"),
        ({"messages": [{"content": "x"}]}, "messages.0.role", "messages.0.role is missing"),
        ({"messages": 5}, "messages", "messages was 5; expected a valid array"),
        (asking(max_tokens=0), "max_tokens", "max_tokens was 0; expected 1 or more"),
        (asking(language="fr"), "language", "language was \"fr\"; expected 'auto', 'en' or 'zh'"),
        ([], "body", "body was []; expected an object"),
    ],
)
async def test_a_wrong_field_is_named_with_what_was_expected(body: Any, param: str, message: str) -> None:
    async with serving("llm", Speaker()) as client:
        answer = await client.post(CHAT, json=body)
        error = (await answer.json())["error"]
    assert answer.status == 400
    assert error["param"] == param
    assert error["message"] == message
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"messages": [' + b"[" * 5000])
async def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    async with serving("llm", Speaker()) as client:
        answer = await client.post(CHAT, data=body)
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] in {"invalid_json", "invalid_value"}


async def test_a_body_over_the_limit_is_refused() -> None:
    async with serving("llm", Speaker()) as client:
        answer = await client.post(CHAT, data=io.BytesIO(b" " * 1_100_000))
        assert answer.status == 413
        assert (await answer.json())["error"]["code"] == "too_large"


async def test_an_engine_that_fails_at_once_is_a_500_without_a_traceback() -> None:
    async with serving("llm", Speaker(breaks=True)) as client:
        answer = await client.post(CHAT, json=asking(stream=True))
        error = (await answer.json())["error"]
    assert answer.status == 500
    assert error["type"] == "server_error"
    assert "RuntimeError" not in error["message"]


async def test_a_stream_that_breaks_ends_with_an_error_and_not_with_done() -> None:
    async with serving("llm", Speaker("Hello", breaks=True)) as client:
        answer = await client.post(CHAT, json=asking(stream=True))
        received = [line async for line in lines_until_broken(answer)]
    assert any(b"Hello" in line for line in received)
    assert received[-2].startswith(b'data: {"error"')
    assert b"[DONE]" not in b"".join(received)


async def test_a_caller_that_goes_away_stops_the_engine() -> None:
    engine = Endless()
    async with serving("llm", engine) as client:
        answer = await client.post(CHAT, json=asking(stream=True))
        await answer.content.readany()
        answer.close()
        async with asyncio.timeout(5):
            await engine.stopped.wait()
        health = await (await client.get("/health")).json()
    assert health["in_flight"] == 0
