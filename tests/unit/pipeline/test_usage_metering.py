"""Usage of calls: as instances report it, else as we count it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from dispatcher.audio import packets
from dispatcher.audio.opus_frames import OpusPackets
from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.personas import DeviceRule, Persona
from dispatcher.dialogue.history import Message
from dispatcher.dialogue.persona import persona_name
from dispatcher.errors import InstanceFailed
from dispatcher.pipeline.llm import respond
from dispatcher.pipeline.usage_metering import metered_chat, metered_speech, metered_transcript
from dispatcher.providers.protocols import SpeechUsage, Transcript
from dispatcher.routing.call_usage import CallUsage
from dispatcher.tools.model import Progress, PromptUsage, Tool, ToolCall
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, stream_of, ticket_of

ASKED = [Message(role="user", content="What time is it, and where am I?")]
SECOND = b"\0" * 48_000


async def read(usage: CallUsage, *pieces: Any, tools: tuple[Tool, ...] = ()) -> list[Any]:
    return [piece async for piece in metered_chat(stream_of(*pieces), usage, ASKED, tools)]


async def test_what_a_server_says_of_its_tokens_counts() -> None:
    usage = CallUsage()
    said = PromptUsage(tokens=812, cached=768, completion=40)
    assert await read(usage, "It is noon.", said) == ["It is noon.", said]
    assert usage.amounts == {"prompt_tokens": 812, "cached_tokens": 768, "completion_tokens": 40}
    assert not usage.is_counted


async def test_without_a_word_of_it_tokens_are_counted_with_tools_and_reasoning() -> None:
    usage, with_tools = CallUsage(), CallUsage()
    await read(usage, "It is noon.")
    assert usage.counted == {"prompt_tokens": 8, "completion_tokens": 3}
    tool = Tool(name="now", description="the time", parameters={"type": "object"})
    call = ToolCall(id="1", name="now", arguments="{}")
    await read(with_tools, Progress(reasoning="Let me look."), call, tools=(tool,))
    assert with_tools.counted == {"prompt_tokens": 16, "completion_tokens": 5}
    assert with_tools.is_counted


async def test_a_server_that_knows_its_prompt_alone_has_its_answer_counted() -> None:
    usage = CallUsage()
    await read(usage, "It is noon.", PromptUsage(tokens=812))
    assert usage.amounts == {"prompt_tokens": 812, "completion_tokens": 3}
    assert usage.is_counted


async def test_a_reply_that_is_given_up_is_counted_up_to_there() -> None:
    usage = CallUsage()
    async with aclosing(metered_chat(stream_of("It is", " noon."), usage, ASKED)) as pieces:
        assert await anext(pieces) == "It is"
    assert usage.counted == {"prompt_tokens": 8, "completion_tokens": 2}


async def test_a_request_that_is_refused_costs_nothing_and_one_that_breaks_off_does() -> None:
    refused, broken = CallUsage(), CallUsage()
    with pytest.raises(InstanceFailed):
        await read(refused, InstanceFailed("a", "HTTP 500"))
    assert refused.amounts == {}
    with pytest.raises(InstanceFailed):
        await read(broken, "It is", InstanceFailed("a", "the stream broke off"))
    assert broken.counted == {"prompt_tokens": 8, "completion_tokens": 2}


async def heard(text: str, **said: Any) -> Transcript:
    await asyncio.sleep(0)
    return Transcript(text=text, language="en", **said)


async def test_speech_to_recognise_is_counted_unless_the_service_says_what_it_bills() -> None:
    counted, billed = CallUsage(), CallUsage()
    await metered_transcript(heard("Hello."), counted, seconds=lambda: 2.5)
    await metered_transcript(heard("Hello.", billed_s=3.0), billed, seconds=lambda: 2.5)
    assert (counted.counted, counted.reported) == ({"seconds": 2.5}, {})
    assert (billed.counted, billed.reported) == ({}, {"seconds": 3.0})


async def test_a_transcription_that_lost_is_counted_and_one_that_failed_is_not() -> None:
    lost, failed = CallUsage(), CallUsage()

    async def never() -> Transcript:
        await asyncio.Event().wait()
        raise AssertionError

    async def fails() -> Transcript:
        raise InstanceFailed("a", "HTTP 500")

    losing = asyncio.create_task(metered_transcript(never(), lost, seconds=lambda: 1.5))
    await asyncio.sleep(0)
    losing.cancel()
    await asyncio.wait([losing])
    assert lost.counted == {"seconds": 1.5}
    with pytest.raises(InstanceFailed):
        await metered_transcript(fails(), failed, seconds=lambda: 1.5)
    assert failed.amounts == {}


async def test_characters_are_counted_unless_the_service_says_them_and_seconds_are_those_that_came() -> None:
    counted, billed = CallUsage(), CallUsage()
    packed = OpusPackets(packets.pack([b"a", b"b"]))
    assert [each async for each in metered_speech(stream_of(SECOND, packed), counted, "你好。")] == [
        SECOND,
        packed,
    ]
    assert counted.amounts == pytest.approx({"characters": 3, "seconds": 1.12})
    assert counted.is_counted
    spoken = metered_speech(stream_of(SECOND, SpeechUsage(5)), billed, "你好。")
    assert [each async for each in spoken] == [SECOND]
    assert billed.amounts == {"characters": 5, "seconds": 1.0}
    assert not billed.is_counted


async def test_a_sentence_that_no_sound_came_of_costs_nothing() -> None:
    usage = CallUsage()
    with pytest.raises(InstanceFailed):
        async for _ in metered_speech(stream_of(InstanceFailed("a", "HTTP 500")), usage, "Hello."):
            pass
    assert usage.amounts == {}


async def test_a_turn_pays_for_its_device_and_persona() -> None:
    worker = FakeWorker.with_instances(instance_of("llm", "a"))
    rules = Conversation(personas={"kids": Persona()})
    worker.router.active.current = type(worker.context.catalogue)(
        path="", services=worker.context.catalogue.services, conversation=rules
    )
    worker.providers.scripts["a"].append(["It is noon.", PromptUsage(tokens=812, completion=40)])
    await respond(worker.context, ticket_of(persona="kids"))
    ((name, usage),) = worker.router.usages
    assert (name, usage.payer.device_id, usage.payer.persona) == ("a", "a-device", "kids")
    assert usage.amounts == {"prompt_tokens": 812, "completion_tokens": 40}


def test_the_persona_of_a_device_is_the_chosen_one_else_that_of_the_yaml() -> None:
    rules = Conversation(
        personas={"kids": Persona(), "guests": Persona()}, devices={"d": DeviceRule(persona="kids")}
    )
    assert persona_name(rules, "d") == "kids"
    assert persona_name(rules, "d", chosen="guests") == "guests"
    assert persona_name(rules, "d", chosen="gone") == "kids"
    assert persona_name(rules, "other") == ""
    assert persona_name(Conversation(devices={"d": DeviceRule(persona="gone")}), "d") == ""
