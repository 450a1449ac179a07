"""Phrases that were said before, in a whole system: no TTS call, and speech though no TTS answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from redis import Redis

from dispatcher import chains
from dispatcher.audio import packets
from dispatcher.catalogue.model import PhraseRules
from dispatcher.dialogue_store.phrase_cache import CACHE_NAME, SKIP_AFTER_FAILURE_S
from dispatcher.redis_client import keys
from tests.integration.people.tapped_stack import TappedInstances, command
from tests.support.device import Answer, Device
from tests.support.front_side import FrontSide
from tests.support.processes import Process
from tests.support.stack import Stack, worker_command
from tests.support.waiting import eventually, soon

QUESTION = "what is two plus two?"


@pytest.fixture
async def with_cache(tapped_stack: Stack) -> AsyncGenerator[Stack]:
    """The stack with an empty phrase cache, which is off again afterwards."""
    own = tapped_stack.own_catalogue
    await tapped_stack.activate(replace(own, phrase_cache=PhraseRules()))
    yield tapped_stack
    await tapped_stack.activate(own)
    with Redis.from_url(tapped_stack.broker.url) as client:
        for key in (*client.scan_iter("phrase*"),):
            client.delete(key)


def figure(stack: Stack, name: str) -> int:
    """Return a figure of the phrase cache."""
    with Redis.from_url(stack.broker.url) as client:
        return int(client.hget(keys.phrases("figures"), name) or 0)


async def stored(stack: Stack, count: int) -> None:
    """Wait until so many phrases were kept."""

    async def are_kept() -> bool:
        return figure(stack, "stored") >= count

    await soon(are_kept, what=f"{count} phrases are kept")


async def said_unasked(device: Device, asked: TappedInstances, text: str) -> Answer:
    """Return an answer that no TTS was asked for; a cache that is slow on a busy machine gets another try."""
    for _ in range(4):
        answer = await device.types(text)
        if not asked.voices():
            return answer
        await asyncio.sleep(SKIP_AFTER_FAILURE_S)
    raise AssertionError("every time a TTS was asked")


async def test_a_greeting_and_a_sentence_that_was_said_twice_are_not_spoken_again(
    with_cache: Stack, asked: TappedInstances
) -> None:
    stack, name = with_cache, "02:00:00:00:40:01"
    await command(stack, "devices", "persona", name, "kettle")
    async with stack.front.device(name) as device:
        first = await device.types("Hello, Kettle!")
        assert asked.voices() == {"nova"}
        await stored(stack, 1)
        again = await said_unasked(device, asked, "Hello, Kettle!")
        assert (again.sentences, again.packets) == (first.sentences, first.packets)
        said = [await device.types(QUESTION) for _ in range(2)]
        sentences = len(said[0].sentences)
        assert asked.voices() == {"nova"}
        await stored(stack, 1 + sentences)
        third = await said_unasked(device, asked, QUESTION)
        assert (third.sentences, third.packets) == (said[1].sentences, said[1].packets)
    end = stack.front.events("turn finished")[-1]
    assert (end["outcome"], end["cached_phrases"], end["tts_instance"]) == ("answered", sentences, CACHE_NAME)
    code, out, err = await command(stack, "why", end["turn"])
    assert code == 0, err
    assert f"{sentences} spoken from the phrase cache" in out
    _, out, _ = await command(stack, "status")
    assert f"phrase cache: {1 + sentences} of " in out


async def test_what_was_said_before_is_spoken_though_no_tts_answers(
    with_cache: Stack, asked: TappedInstances
) -> None:
    stack, name = with_cache, "02:00:00:00:40:02"
    await command(stack, "devices", "persona", name, "kettle")
    async with stack.front.device(name) as device:
        known = await device.types("Hello, Kettle!")
        await stored(stack, 1)
        tts = stack.instances.of("tts")
        for each in tts:
            each.fault("error")
        asked.forget_asked()
        heard = await said_unasked(device, asked, "Hello, Kettle!")
        assert heard.packets == known.packets
        apologised = await device.types("what is three plus three?")
        assert apologised.packets
        assert stack.front.events("turn finished")[-1]["outcome"] == "apologised"
        for each in tts:
            each.fault("none")


async def test_two_workers_that_get_the_same_phrase_at_once_share_it(
    with_cache: Stack, asked: TappedInstances
) -> None:
    stack, phrase = with_cache, "A new phrase."
    second = Process("tts-b", worker_command("-Q", "tts"), folder=stack.folder, environ=stack.environ)
    second.start()
    try:
        await asyncio.to_thread(
            eventually, lambda: stack.serves("tts", second), what="the second worker is ready"
        )
        async with FrontSide.opened(stack.broker) as front:
            tickets = [front.ticket(text="x") for _ in range(8)]
            await asyncio.gather(
                *(
                    chains.synthesize(front.redis, each, index=0, text=phrase, keep="fixed")
                    for each in tickets
                )
            )
            for each in tickets:
                await front.reads_last_audio(each, sentences=1)
            heard = [
                [packet for reply in front.of(each) for packet in packets.unpack(reply.packets)]
                for each in tickets
            ]
        # On a busy machine a worker that waited for long enough has it spoken as well; the control worker has
        # other phrases made meanwhile.
        assert asked.spoken().count(phrase) + figure(stack, "hits") == len(tickets)
        assert all(each == heard[0] for each in heard)
    finally:
        second.stop()
