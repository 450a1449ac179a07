"""A real llama.cpp server with a small model: turns, a long answer that is ended, the round after a tool."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import aiohttp
import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message
from dispatcher.providers.llm.openai_chat import OpenAiChat
from dispatcher.tools.model import Tool, ToolCall
from tests.support.processes import Process, free_port, stop_all
from tests.support.stack import Stack
from tests.support.waiting import eventually, soon

SET = Tool(
    name="set_volume",
    description="Set the volume",
    parameters={"type": "object", "properties": {"volume": {"type": "integer"}}, "required": ["volume"]},
)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """An instance whose server runs."""
    port = free_port()
    command = [sys.executable, "-m", "dispatcher.ops.bench.llama_server", str(port)]
    server = Process("llama", command, folder=tmp_path_factory.mktemp("llama"))
    server.start()
    eventually(lambda: "serving on" in server.output(), what="the llama.cpp server serves")
    yield Instance(
        name="llm-llama",
        service="llm",
        endpoint=f"http://127.0.0.1:{port}/v1",
        model="smollm2",
        max_concurrent=1,
        temperature=0.0,
        max_tokens=4_000,
    )
    stop_all([server])


@pytest.fixture
async def llama_stack(field_stack: Stack, llama: Instance) -> AsyncIterator[Stack]:
    """The system with that one LLM, and replies of at most four seconds of speech."""
    own = field_stack.own_catalogue
    services = {**own.services, "llm": replace(own.services["llm"], instances=(llama,))}
    short = replace(own.conversation, max_reply_s=4.0, system_prompt="You are a friendly assistant.")
    await field_stack.activate(replace(own, services=services, conversation=short))
    yield field_stack
    await field_stack.activate(own)


async def test_a_small_model_answers(llama_stack: Stack) -> None:
    async with llama_stack.front.device("llama-short") as device:
        answer = await device.types("What is two and two?")
    assert answer.sentences
    assert answer.packets


async def test_a_small_model_that_does_not_stop_is_ended_and_its_slot_given_back(llama_stack: Stack) -> None:
    since_byte = llama_stack.front.printed_bytes()
    async with llama_stack.front.device("llama-long") as device:
        answer = await device.types("Tell me a very long story about a king. Do not stop.")

        async def is_over() -> bool:
            return bool(llama_stack.front.events("turn finished", since_byte))

        await soon(is_over, what="the turn is over")
    (turn,) = llama_stack.front.events("turn finished", since_byte)
    assert turn["outcome"] == "answered"
    assert len(" ".join(answer.sentences)) < 400, "a few seconds of speech"
    await llama_stack.is_given_back()
    # The server works on one reply at a time: were the first one still written, this one would wait.
    async with llama_stack.front.device("llama-next") as device:
        assert (await device.types("Say hello.")).sentences


async def test_the_round_after_a_tool_is_answered(llama: Instance) -> None:
    call = ToolCall(id="call-1", name=SET.name, arguments='{"volume": 20}')
    messages = [
        Message(role="system", content="You are a friendly assistant."),
        Message(role="user", content="Set the volume to twenty."),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="true", tool_call_id="call-1"),
    ]
    short = replace(llama, max_tokens=30)
    async with aiohttp.ClientSession() as session:
        pieces = [piece async for piece in OpenAiChat(session).chat(short, messages, [SET])]
    assert "".join(piece for piece in pieces if isinstance(piece, str)).strip()
