"""What goes wrong while the user speaks is mended before the user ends, or right after."""

from __future__ import annotations

import asyncio
import signal

import pytest
from redis import Redis

from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.messages import SERVICES
from dispatcher.redis_client import keys
from tests.integration.streaming_asr.conftest import StreamingAsr
from tests.integration.streaming_asr.speaking import (
    PACKET_BYTES,
    SPOKEN,
    WORDS,
    begin,
    end,
    has_heard_half,
    nothing_is_held,
)
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.waiting import soon


async def test_an_ear_that_dies_in_mid_utterance_is_replaced_by_one_that_hears_all_of_it(
    servers: StreamingAsr,
) -> None:
    await servers.activate(servers.live(1, priority="high"), servers.live(2, priority="low"))
    async with servers.stack.front.device("bereaved") as device:
        await begin(device)
        await has_heard_half(servers, 1)
        servers.funasr[0].kill()
        await has_heard_half(servers, 2)
        await end(device)
        answer = await device.answer()
    (told,) = servers.heard(2)
    assert told["bytes"] == len(SPOKEN) * PACKET_BYTES
    assert (answer.transcript, answer.sentences) == (WORDS, SENTENCES)
    await nothing_is_held(servers)


async def test_an_ear_that_dies_in_mid_utterance_is_replaced_by_one_that_wants_the_whole(
    servers: StreamingAsr,
) -> None:
    await servers.activate(servers.live(1, priority="high"), servers.whole(priority="low"))
    async with servers.stack.front.device("bereaved-too") as device:
        await begin(device)
        await has_heard_half(servers, 1)
        servers.funasr[0].kill()

        async def gave_back() -> bool:
            return servers.picks() == ["live-1", "whole-1"] and servers.stack.leases() == 0

        await soon(gave_back, what="the other one waits without a slot")
        await end(device)
        assert (await device.answer()).transcript == TRANSCRIPT


async def test_an_instance_that_is_back_before_the_end_of_speech_receives_the_whole(
    servers: StreamingAsr,
) -> None:
    await servers.activate(servers.live(1))
    async with servers.stack.front.device("lucky") as device:
        await begin(device)
        await has_heard_half(servers, 1)
        servers.funasr[0].kill()
        await servers.stack.is_given_back()
        servers.funasr[0].revive()
        await end(device)
        assert (await device.answer()).transcript == WORDS


@pytest.mark.parametrize("by", ["abort", "start", "type", "leave"])
async def test_an_utterance_that_is_given_up_is_given_up_at_the_instance(
    servers: StreamingAsr, by: str
) -> None:
    await servers.activate(servers.live(1))
    async with servers.stack.front.device(f"changes-{by}") as device:
        await begin(device)
        await has_heard_half(servers, 1)
        match by:
            case "abort":
                await device.abort()
                await device.hears(type="tts", state="stop")
            case "start":
                await device.listen("start", mode="manual")
            case "type":
                assert (await device.types("never mind")).sentences == SENTENCES
            case "leave":
                await device.socket.close()
        await nothing_is_held(servers)
        if by != "leave":
            assert (await device.says()).transcript == WORDS
    with Redis.from_url(servers.stack.broker.url) as client:
        await nothing_is_held(servers)
        assert not list(client.scan_iter(keys.utterance("*")))


async def test_a_worker_that_dies_in_mid_utterance_costs_the_head_start_and_not_the_answer(
    servers: StreamingAsr,
) -> None:
    worker = servers.stack.workers["asr"]
    await servers.activate(servers.live(1))
    async with servers.stack.front.device("stubborn") as device:
        await begin(device)
        await has_heard_half(servers, 1)
        worker.kill()
        worker.start()
        await soon(lambda: asyncio.to_thread(servers.stack.serves, "asr", worker), what="the worker is back")
        await end(device)
        answer = await device.answer()
    assert (answer.transcript, answer.sentences) == (WORDS, SENTENCES)


async def test_a_broker_that_comes_back_empty_in_mid_utterance_costs_no_answer(servers: StreamingAsr) -> None:
    await servers.activate(servers.live(1))
    async with servers.stack.front.device("forgotten") as device:
        await begin(device)
        await has_heard_half(servers, 1)
        with Redis.from_url(servers.stack.broker.url) as client:
            client.delete(*client.scan_iter(keys.utterance("*")))
        await end(device)
        assert (await device.answer()).transcript == WORDS


async def test_a_flooded_queue_is_told_of_at_the_end_of_speech_as_ever(servers: StreamingAsr) -> None:
    await servers.activate(servers.live(1))
    # Were one of them awake, it would take over the queue.
    workers = [servers.stack.workers[service] for service in SERVICES]
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    try:
        async with (
            servers.stack.another_front(QUEUE_LIMIT="1") as front,
            front.device("one") as one,
            front.device("two") as two,
            front.device("one-too-many") as device,
        ):
            for speaker in (one, two, device):
                await begin(speaker)
            await end(device)
            said = await device.hears(type="tts", state="sentence_start")
            assert said["text"] == APOLOGIES["sorry", "en"]
            await device.abort()
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGCONT)
    await nothing_is_held(servers)
