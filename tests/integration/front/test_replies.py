"""Replies that a front cannot use: it goes on with those that it can."""

from __future__ import annotations

from redis import Redis

from dispatcher.redis_client import keys
from tests.support.instances import SENTENCES
from tests.support.stack import Stack
from tests.support.waiting import soon


def add_to_the_stream(stack: Stack, **fields: str) -> None:
    """Append an entry to the reply stream of the stack's front."""
    with Redis.from_url(stack.broker.url) as client:
        for stream in client.scan_iter(keys.reply_stream("front-*")):
            client.xadd(stream, fields)


def turn_under_way(stack: Stack) -> str:
    """Return the id of the only spoken turn that has not ended."""
    with Redis.from_url(stack.broker.url) as client:
        (claim,) = client.scan_iter(keys.claim("*"))
    return str(claim.decode().partition(":")[2])


async def test_a_reply_that_cannot_be_read_silences_nobody(stack: Stack) -> None:
    add_to_the_stream(stack, turn="a-turn", attempt="one", kind="end")
    add_to_the_stream(stack, turn="a-turn")
    async with stack.front.device("unharmed") as device:
        assert (await device.says()).sentences == SENTENCES


async def test_a_reply_of_a_kind_from_the_future_leaves_its_turn_alone(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("slow", 5)
    async with stack.front.device("old-fashioned") as device:
        await device.begins_to_say()
        await device.hears(type="stt")
        turn_id = turn_under_way(stack)
        for kind, text in (("telepathy", "?"), ("emotion", "enthusiastically bored")):
            add_to_the_stream(stack, turn=turn_id, attempt="1", kind=kind, text=text)
        add_to_the_stream(stack, turn=turn_id, attempt="1", kind="audio", packets="\0")
        assert (await device.answer()).sentences == SENTENCES


async def test_replies_to_a_turn_that_is_over_are_not_spoken(stack: Stack) -> None:
    async with stack.front.device("done") as device:
        await device.says()
        add_to_the_stream(stack, turn="long-gone", attempt="1", kind="sentence", text="boo")
        assert (await device.says()).sentences == SENTENCES


async def test_a_front_whose_stream_was_evicted_makes_it_anew(stack: Stack) -> None:
    with Redis.from_url(stack.broker.url) as client:
        client.delete(*client.scan_iter(keys.reply_stream("*")))
    async with stack.front.device("deaf-for-a-while") as device:

        async def is_answered() -> bool:
            await device.begins_to_type("do you hear me?")
            subtitle = await device.hears(type="tts", state="sentence_start")
            return bool(subtitle["text"] == SENTENCES[0])

        await soon(is_answered, what="the front hears its workers again")
