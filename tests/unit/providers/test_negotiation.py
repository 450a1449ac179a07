"""Optional parameters that an instance refuses: left out in the same call, and in those after it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiohttp import web

from dispatcher.dialogue.history import Message
from dispatcher.errors import InstanceFailed, InstanceRefused
from dispatcher.providers.negotiation import RefusedParameters
from dispatcher.tools.model import ToolCall
from tests.support.services.openai import DONE, FakeOpenAi, says

Objection = Callable[[Mapping[str, Any]], str]
WHISPER = (
    "response_format 'verbose_json' is not compatible with model 'gpt-4o-mini-transcribe'. "
    "Use 'json' or 'text' instead."
)


def refusing(openai: FakeOpenAi, objects: Objection, answer: bytes, kind: str, *, status: int = 400) -> None:
    """Refuse what the test objects to; answer the rest."""

    async def handler(_: web.Request) -> web.Response:
        words = objects(openai.asked[-1].body)
        if words:
            return web.json_response({"error": {"message": words}}, status=status)
        return web.Response(body=answer, content_type=kind)

    openai.does(handler)


def unless(**wanted: Any) -> Objection:
    """Have something against requests in which these are not so."""
    return lambda body: next(
        (f"Unsupported parameter: '{key}'" for key, value in wanted.items() if body.get(key) != value), ""
    )


async def test_an_asr_that_refuses_verbose_json_is_asked_for_json(
    openai: FakeOpenAi,
) -> None:
    """vercel/ai #8214, lfnovo/esperanto #204."""
    refusing(
        openai,
        lambda body: WHISPER if body["response_format"] == "verbose_json" else "",
        b'{"text": "Hi!"}',
        "application/json",
    )
    for _ in range(2):
        assert await openai.transcribe() == ("Hi!", "auto")
    assert [each.body["response_format"] for each in openai.asked] == ["verbose_json", "json", "json"]


async def test_an_asr_that_only_has_text_is_asked_for_that(openai: FakeOpenAi) -> None:
    refusing(
        openai,
        lambda body: "" if body["response_format"] == "text" else "Bad request",
        "你好。\n".encode(),
        "text/plain",
    )
    assert (await openai.transcribe())[0] == "你好。"


@pytest.mark.parametrize("status", [400, 422])
async def test_a_voice_that_has_no_pcm_is_asked_for_what_it_has(openai: FakeOpenAi, status: int) -> None:
    """Kokoros #63, wyoming_openai #72."""
    wav = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\1\0\xc0\x5d\0\0\x80\xbb\0\0\2\0\x10\0data"
    wav += b"\xff\xff\xff\xff"
    refusing(openai, unless(response_format="wav"), wav + b"\1\0" * 50, "audio/wav", status=status)

    for _ in range(2):
        assert b"".join([piece async for piece in openai.speech()]) == b"\1\0" * 50
    assert [each.body["response_format"] for each in openai.asked] == ["pcm", "wav", "wav"]


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/html"])
async def test_a_voice_that_answers_nothing_under_another_type_refused_no_form(
    openai: FakeOpenAi, kind: str
) -> None:
    """Our own words for it name the form that was expected; they are no refusal of that form."""
    answers = [web.Response(content_type=kind), web.Response(body=b"\1\0" * 50, content_type="audio/pcm")]

    async def handler(_: web.Request) -> web.Response:
        return answers.pop(0)

    openai.does(handler)

    with pytest.raises(InstanceFailed, match=f"speech came as {kind}, expected audio/pcm: b''"):
        await anext(openai.speech())
    assert openai.refused.of("tts-1") == {}
    assert b"".join([piece async for piece in openai.speech()]) == b"\1\0" * 50
    assert [each.body["response_format"] for each in openai.asked] == ["pcm", "pcm"]


async def test_a_model_that_wants_max_completion_tokens_gets_them(openai: FakeOpenAi) -> None:
    words = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    refusing(
        openai,
        lambda body: words if "max_tokens" in body else "",
        says("Noon.") + DONE,
        "text/event-stream",
    )
    assert [piece async for piece in openai.chat()] == ["Noon."]
    assert openai.asked[1].body["max_completion_tokens"] == 400


async def test_a_server_that_refuses_all_words_against_thinking_is_asked_without_them(
    openai: FakeOpenAi,
) -> None:
    def judge(body: Mapping[str, Any]) -> str:
        names = [name for name in ("enable_thinking", "chat_template_kwargs", "thinking") if name in body]
        return f"Unrecognized request arguments supplied: {', '.join(names)}" if names else ""

    refusing(openai, judge, says("Noon.") + DONE, "text/event-stream")

    for _ in range(2):
        assert [piece async for piece in openai.chat(thinking="off", temperature=0.5)] == ["Noon."]
    assert len(openai.asked) == 3
    assert openai.asked[0].body["thinking"] == {"type": "disabled"}
    assert openai.asked[2].body["temperature"] == 0.5


async def test_a_strict_server_that_only_says_bad_request_is_asked_without_usage(openai: FakeOpenAi) -> None:
    refusing(
        openai,
        lambda body: "Bad Request" if "stream_options" in body else "",
        says("Noon.") + DONE,
        "text/event-stream",
    )
    for _ in range(2):
        assert [piece async for piece in openai.chat()] == ["Noon."]
    assert ["stream_options" in each.body for each in openai.asked] == [True, False, False]


async def test_a_server_that_has_answered_is_asked_once_where_it_refuses_without_a_word(
    openai: FakeOpenAi,
) -> None:
    refused = iter(["", "Bad Request"])
    refusing(openai, lambda _: next(refused), says("Noon.") + DONE, "text/event-stream")

    assert [piece async for piece in openai.chat()] == ["Noon."]
    with pytest.raises(InstanceRefused):
        await anext(openai.chat())
    assert len(openai.asked) == 2
    assert openai.refused.of("llm-1") == {}


async def test_reasoning_and_extra_fields_are_not_sent_to_a_server_that_refuses_them(
    openai: FakeOpenAi,
) -> None:
    def judge(body: Mapping[str, Any]) -> str:
        return "extra_forbidden: reasoning_content" if "reasoning_content" in json.dumps(body) else ""

    refusing(openai, judge, says("Done.") + DONE, "text/event-stream")
    call = ToolCall(id="c", name="mute", arguments="{}", extra={"extra_content": {"google": {}}})
    dialogue = [
        Message(role="user", content="Hush."),
        Message(role="assistant", content="", tool_calls=(call,), reasoning="Hm."),
        Message(role="tool", content="true", tool_call_id="c"),
    ]
    pieces = openai.llm.chat(openai.instance("llm"), dialogue)

    assert [piece async for piece in pieces] == ["Done."]
    assert "extra_content" in json.dumps(openai.asked[0].body)


async def test_what_is_refused_with_and_without_a_parameter_teaches_nothing(openai: FakeOpenAi) -> None:
    refusing(openai, lambda _: "max_tokens is over the context length", b"", "text/plain")

    with pytest.raises(InstanceRefused):
        await anext(openai.chat())
    assert openai.refused.of("llm-1") == {}


async def test_what_was_learned_is_forgotten_when_the_line_in_the_yaml_changes(openai: FakeOpenAi) -> None:
    refused = RefusedParameters()
    line, other = openai.instance("llm", model="one"), openai.instance("llm", model="two")
    refused.follow([line])
    refused.learn(line, "tools", "HTTP 400: no tools")
    refused.follow([line])
    assert [*refused.of("llm-1")] == ["tools"]

    refused.follow([other])
    assert refused.of("llm-1") == {}


async def test_extra_body_wins_over_what_is_sent_but_the_dialogue(openai: FakeOpenAi) -> None:
    openai.streams(says("Noon."), DONE)
    extra = {"max_tokens": 7, "top_k": 3, "messages": [], "stream": False}
    assert [piece async for piece in openai.chat(extra_body=extra)] == ["Noon."]
    body = openai.asked[0].body
    assert (body["max_tokens"], body["top_k"], body["stream"]) == (7, 3, True)
    assert body["messages"]


async def test_an_asr_without_a_model_of_that_name_is_not_asked_again_and_again(openai: FakeOpenAi) -> None:
    refusing(openai, lambda _: "Model Not Exist", b"", "text/plain")

    with pytest.raises(InstanceRefused):
        await openai.transcribe()
    assert len(openai.asked) == 1


async def test_extra_body_goes_with_speech_and_its_recognition(openai: FakeOpenAi) -> None:
    openai.answers('{"text": "Hi!"}')
    await openai.transcribe(extra_body={"prompt": "小智", "temperature": 0})
    openai.streams(b"\1\0", content_type="audio/pcm")
    _ = [piece async for piece in openai.speech(extra_body={"speed": 1.2})]

    assert (openai.asked[0].body["prompt"], openai.asked[0].body["temperature"]) == ("小智", "0")
    assert openai.asked[1].body["speed"] == 1.2
