"""Ollama's own openai, against one in software: chat as lines, tools, loads, and every fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message
from dispatcher.errors import (
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceUnreachable,
)
from dispatcher.providers.http import new_session
from dispatcher.providers.llm import ollama_loading
from dispatcher.providers.llm.ollama import Ollama
from dispatcher.providers.protocols import LoadReport
from dispatcher.tools.model import ChatPiece, Progress, Tool, ToolCall
from tests.support.services.ollama import MODEL, REPLY, FakeOllama
from tests.support.waiting import WAIT_TIMEOUT_S

HI = [Message(role="system", content="Be brief."), Message(role="user", content="几点了？")]
VOLUME = Tool(name="set_volume", description="Sets it.", parameters={"type": "object", "properties": {}})


@pytest.fixture
async def server() -> AsyncGenerator[FakeOllama]:
    async with FakeOllama.serving() as running:
        yield running


@pytest.fixture
async def ollama() -> AsyncGenerator[Ollama]:
    async with new_session() as session:
        provider = Ollama(session)
        yield provider
        await provider.close()


def at(server: FakeOllama, **fields: Any) -> Instance:
    """Return the instance; the catalogue adds /v1 where an address has no path."""
    return Instance(
        service="llm",
        name="llm-1",
        endpoint=f"{server.url}/v1",
        **{"model": MODEL, "provider": "ollama", **fields},
    )


async def said(
    ollama: Ollama, server: FakeOllama, messages: Sequence[Message] = HI, tools: Sequence[Tool] = ()
) -> list[ChatPiece]:
    return [piece async for piece in ollama.chat(at(server), messages, tools)]


async def fails(ollama: Ollama, server: FakeOllama, **fields: Any) -> tuple[list[ChatPiece], InstanceError]:
    """Return what was said before the error, and the error."""
    pieces: list[ChatPiece] = []
    with pytest.raises(InstanceError) as raised:  # noqa: PT012  the loop is the call
        async for piece in ollama.chat(at(server, **fields), HI):
            pieces.append(piece)  # noqa: PERF401  a comprehension would be lost with the error
    return pieces, raised.value


async def test_a_reply_comes_in_its_pieces(ollama: Ollama, server: FakeOllama) -> None:
    assert await said(ollama, server) == list(REPLY)
    (asked,) = server.asked
    assert asked == {
        "model": MODEL,
        "keep_alive": "1800s",
        "stream": True,
        "think": False,
        "options": {"num_predict": 400},
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "几点了？"}],
    }


async def test_how_long_the_model_stays_in_memory_can_be_chosen(ollama: Ollama, server: FakeOllama) -> None:
    async for _ in ollama.chat(at(server, keep_alive_s=7200.0), HI):
        pass
    assert server.asked[0]["keep_alive"] == "7200s"


async def test_lines_may_come_in_any_slices(ollama: Ollama, server: FakeOllama) -> None:
    whole = b"".join(server._lines(MODEL))
    server.raw = [whole[start : start + 7] for start in range(0, len(whole), 7)]

    assert await said(ollama, server) == list(REPLY)


async def test_what_the_model_thinks_is_not_said(ollama: Ollama, server: FakeOllama) -> None:
    thought = {"message": {"role": "assistant", "content": "", "thinking": "Hm."}, "done": False}
    server.raw = [json.dumps(thought).encode() + b"\n", *server._lines(MODEL)]

    assert await said(ollama, server) == [Progress(reasoning="Hm."), *REPLY]


async def test_thoughts_and_calls_in_the_text_are_not_said(ollama: Ollama, server: FakeOllama) -> None:
    server.reply = ("<think>Hm.", "</think>\n\nNoon. ", '{"name": "mute", "argu', 'ments": {}}')
    mute = Tool(name="mute", description="", parameters={})

    *text, call = [piece for piece in await said(ollama, server, HI, [mute]) if piece != Progress()]
    assert text == ["Noon. "]
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("mute", "{}")


async def test_a_call_of_a_tool_comes_whole(ollama: Ollama, server: FakeOllama) -> None:
    server.reply = ()
    server.tool_calls = [
        {"id": "call_1", "function": {"name": "set_volume", "arguments": {"level": 30}}},
        {"function": {"name": "mute"}},
    ]
    first, second = await said(ollama, server, tools=[VOLUME])

    assert first == ToolCall(id="call_1", name="set_volume", arguments='{"level": 30}')
    assert isinstance(second, ToolCall)
    assert (second.name, second.arguments, bool(second.id)) == ("mute", "{}", True)
    offered = server.asked[0]["tools"][0]
    assert (offered["type"], offered["function"]["name"]) == ("function", "set_volume")


async def test_the_answer_of_a_tool_goes_back_under_its_name(ollama: Ollama, server: FakeOllama) -> None:
    call = ToolCall(id="call_1", name="set_volume", arguments='{"level": 30}')
    asked = Message(role="assistant", content="", tool_calls=(call,))
    done = Message(role="tool", content="true", tool_call_id="call_1")

    await said(ollama, server, [*HI, asked, done])

    assert server.asked[0]["messages"][2:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "call_1", "function": {"name": "set_volume", "arguments": {"level": 30}}}],
        },
        {"role": "tool", "content": "true", "tool_call_id": "call_1", "tool_name": "set_volume"},
    ]


@pytest.mark.parametrize("fault", ["dies", "closes"])
async def test_a_reply_that_breaks_off_is_the_instances_fault(
    ollama: Ollama, server: FakeOllama, fault: str
) -> None:
    server.fault = fault
    pieces, error = await fails(ollama, server)

    assert pieces == list(REPLY[:3])
    assert (type(error), error.origin) == (InstanceFailed, "theirs")


@pytest.mark.parametrize(
    "line",
    [
        b"<html>502 Bad Gateway</html>\n",
        b"[1]\n",
        b'{"message": {"content": 5}}\n',
        b'{"message": {"content": "\xe4\xbd"}}\n',
        b'{"message": ["hello"]}\n',
        b'{"message": {"tool_calls": [{"name": "x"}]}}\n',
        b'{"message": {"tool_calls": [{"function": {"name": "x", "arguments": "[]"}}]}}\n',
        b'{"error": "an error was encountered while running the model"}\n',
        b"x" * 300_000,
        b"",
    ],
)
async def test_nonsense_is_the_instances_fault(ollama: Ollama, server: FakeOllama, line: bytes) -> None:
    server.raw = [line]
    _, error = await fails(ollama, server)

    assert type(error) is InstanceFailed
    assert len(error.reason) < 300


async def test_a_model_that_is_not_there_is_the_operators_to_mend(ollama: Ollama, server: FakeOllama) -> None:
    _, error = await fails(ollama, server, model="llama9")

    assert type(error) is InstanceForbidden
    assert "model 'llama9' not found" in error.reason


async def test_a_full_queue_is_busy(ollama: Ollama, server: FakeOllama) -> None:
    server.fault = "quota"
    _, error = await fails(ollama, server)

    assert type(error) is InstanceBusy


async def test_a_reply_that_is_closed_leaves_the_server(ollama: Ollama, server: FakeOllama) -> None:
    server.fault = "waits"
    call = asyncio.create_task(anext(ollama.chat(at(server), HI)))
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        while not server.asked:  # noqa: ASYNC110  the server has no event for it
            await asyncio.sleep(0.01)

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(WAIT_TIMEOUT_S):
        await server.gone.wait()


@pytest.mark.parametrize("loaded", [MODEL, "qwen2.5:3b", "other:latest"])
async def test_a_model_in_memory_is_well(ollama: Ollama, server: FakeOllama, loaded: str) -> None:
    server.loaded = {loaded}
    wanted = "other" if loaded == "other:latest" else MODEL

    assert await ollama.check(at(server, model=wanted)) == LoadReport()
    assert server.asked == []


async def test_a_check_loads_the_model_and_passes_once_it_is_in_memory(
    ollama: Ollama, server: FakeOllama
) -> None:
    server.loaded = set()

    assert await ollama.check(at(server)) == LoadReport()
    assert server.loaded == {MODEL}


async def test_a_model_that_loads_slowly_is_not_well_yet_and_is_loaded_once(
    ollama: Ollama, server: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama_loading, "LOAD_CHECK_TIMEOUT_S", 0.05)
    server.loaded, server.slow_load = set(), True

    for _ in range(2):
        with pytest.raises(InstanceUnreachable, match=f"{MODEL} is being loaded"):
            await ollama.check(at(server))
    server.go_on.set()
    monkeypatch.setattr(ollama_loading, "LOAD_CHECK_TIMEOUT_S", WAIT_TIMEOUT_S)
    assert await ollama.check(at(server)) == LoadReport()
    assert len(server.asked) == 1


async def test_a_model_that_was_pushed_out_is_not_loaded_again_at_once(
    ollama: Ollama, server: FakeOllama
) -> None:
    await ollama.check(at(server))
    server.loaded = {"another"}

    assert await ollama.check(at(server)) == LoadReport()
    assert server.asked == []


async def test_a_check_finds_a_model_that_is_not_on_the_disk(ollama: Ollama, server: FakeOllama) -> None:
    server.loaded = server.pulled = set()

    with pytest.raises(InstanceForbidden, match="not found"):
        await ollama.check(at(server))


async def test_a_check_that_is_answered_by_a_web_page_fails(ollama: Ollama, server: FakeOllama) -> None:
    server.fault = "html"

    with pytest.raises(InstanceFailed, match="<!doctype html>"):
        await ollama.check(at(server))


async def test_how_the_model_is_asked_can_be_chosen(ollama: Ollama, server: FakeOllama) -> None:
    fields = {"temperature": 0.2, "max_tokens": 90, "num_ctx": 8192, "thinking": "auto"}
    extra = {"options": {"top_k": 3, "num_ctx": 4096}, "format": "json", "stream": False}
    async for _ in ollama.chat(at(server, **fields, extra_body=extra), HI):
        pass
    (asked,) = server.asked
    assert asked["options"] == {"temperature": 0.2, "num_predict": 90, "num_ctx": 4096, "top_k": 3}
    assert (asked["format"], asked["stream"]) == ("json", True)
    assert "think" not in asked


async def test_a_model_that_cannot_think_is_not_told_about_it_twice(
    ollama: Ollama, server: FakeOllama
) -> None:
    server.refuses = "think"
    for _ in range(2):
        assert await said(ollama, server) == list(REPLY)
    assert ["think" in asked for asked in server.asked] == [True, False, False]


async def test_a_model_is_loaded_with_the_context_that_chats_ask_for(
    ollama: Ollama, server: FakeOllama
) -> None:
    server.loaded = set()
    await ollama.check(at(server, num_ctx=8192))

    assert server.asked[0]["options"] == {"num_ctx": 8192}
