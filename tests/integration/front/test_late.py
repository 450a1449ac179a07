"""An ASR or a TTS instance is late with its first result: another one is asked, and nobody hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import pytest
from redis import Redis

from dispatcher.catalogue.model import Instance
from dispatcher.messages import Priority, Service
from dispatcher.redis_client import keys
from tests.support.device import Answer, Device
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.stack import Stack
from tests.support.waiting import soon

# As far as a stage may go on a real system: within it a call that hangs is not made again by the front.
STAGE_TIMEOUT_S: Final = 10.0
# Of what takes 20 ms: two seconds, which is late, and less than after what a call that lost is given up.
SLOW: Final = 100
# What a worker logs then; an instance that is given up after five seconds of silence is another matter.
ASKED_BESIDE: Final = "instance late, another one asked"
Ranked = Callable[..., Awaitable[None]]


@pytest.fixture
async def ranked(stack: Stack) -> AsyncGenerator[Ranked]:
    """Give the instances of a service priorities, the first one's first; one without is left out."""
    own = stack.own_catalogue
    # An instance that another test left late is avoided until that call is over.
    await stack.is_given_back()

    async def give(service: Service, *priorities: Priority) -> None:
        config = own.services[service]
        instances = tuple(
            replace(each, priority=priority)
            for each, priority in zip(config.instances, priorities, strict=False)
        )
        await stack.activate(
            replace(
                own,
                services={**own.services, service: replace(config, instances=instances)},
                conversation=replace(own.conversation, stage_timeout_s=STAGE_TIMEOUT_S),
            )
        )

    yield give
    await stack.activate(own)


def picked(stack: Stack, service: Service, since: int = 0) -> list[str]:
    """Return which instances of a service were picked, oldest first, without the first ones."""
    with Redis.from_url(stack.broker.url) as client:
        decisions = client.xrange(keys.DECISIONS)
    assert isinstance(decisions, list)
    return [
        fields[b"instance"].decode()
        for _, fields in decisions
        if fields.get(b"service") == service.encode() and b"reason" in fields
    ][since:]


def learned(stack: Stack, instance: Instance) -> Mapping[str, float]:
    """Return what is known of an instance, as far as it is a number."""
    with Redis.from_url(stack.broker.url) as client:
        fields: Any = client.hgetall(keys.instance(instance.service, instance.name))
    known = {name.decode(): value.decode() for name, value in fields.items()}
    return {name: float(value) for name, value in known.items() if value.replace(".", "", 1).isdigit()}


@asynccontextmanager
async def hears_pcm(stack: Stack, name: str) -> AsyncGenerator[Device]:
    """Connect a device that is sent the samples as they are, so that they can be compared."""
    async with Device.connected(stack.front.socket_url, device_id=name) as device:
        await device.hello(format="pcm")
        yield device


async def usual(device: Device) -> Answer:
    """Hold a turn while all is well, so that the times of the first instance are known."""
    answer = await device.says()
    assert (answer.transcript, answer.sentences) == (TRANSCRIPT, SENTENCES)
    return answer


@pytest.mark.parametrize("mode", ["keepalive", "slow"])
async def test_an_utterance_on_an_ear_that_is_late_is_understood_by_another(
    stack: Stack, ranked: Ranked, mode: str
) -> None:
    stack.restart_worker("asr")
    await ranked("asr", "high", "low")
    late, _ = stack.instances.of("asr")
    async with stack.front.device(f"ear-{mode}") as device:
        # The first turn of a new worker is a cold one, by which no other would be late.
        for _ in range(3):
            await usual(device)
        before = len(picked(stack, "asr"))
        late.fault(mode, SLOW)
        answer = await device.says()
    assert (answer.transcript, answer.sentences) == (TRANSCRIPT, SENTENCES)
    assert picked(stack, "asr", since=before) == ["asr-1", "asr-2"]
    turn = stack.front.events("turn finished")[-1]
    assert (turn["device"], turn["outcome"], turn["asr_instance"]) == (f"ear-{mode}", "answered", "asr-2")
    if mode == "slow":
        await stack.is_given_back()
        first = learned(stack, stack.own_catalogue.services["asr"].instances[0])
        assert first["latency_ewma_ms"] > 1000, "what it needs is known now"
        assert not first.get("failures")


async def test_an_ear_that_hangs_is_ejected_and_costs_no_answer_though_more_calls_hang_than_are_saved_up_for(
    stack: Stack, ranked: Ranked
) -> None:
    stack.restart_worker("asr")
    await ranked("asr", "high", "low")
    hung, _ = stack.instances.of("asr")
    async with AsyncExitStack() as open_ones:
        devices = [await open_ones.enter_async_context(stack.front.device(f"one-of-{n}")) for n in range(6)]
        await usual(devices[0])
        before, printed = len(picked(stack, "asr")), stack.workers["asr"].printed_bytes()
        hung.fault("hang")
        first = stack.own_catalogue.services["asr"].instances[0]

        async def is_ejected() -> bool:
            for answer in await asyncio.gather(*(device.says() for device in devices)):
                assert (answer.transcript, answer.sentences) == (TRANSCRIPT, SENTENCES)
            return learned(stack, first).get("ejected_until_ms", 0) > 0

        await soon(is_ejected, what="the ear that hangs is ejected")
        await stack.is_given_back()
    # Three are paid by what time saved up, the others as retries; none had to wait for its stage's end.
    hung_calls = picked(stack, "asr", since=before).count("asr-1")
    assert stack.workers["asr"].output(printed).count(ASKED_BESIDE) == hung_calls >= 3


@pytest.mark.parametrize("mode", ["hang", "keepalive", "slow"])
async def test_a_sentence_of_a_voice_that_is_late_is_spoken_by_another_to_the_last_sample(
    stack: Stack, ranked: Ranked, mode: str
) -> None:
    stack.restart_worker("tts")
    await ranked("tts", "high", "low")
    late, _ = stack.instances.of("tts")
    async with hears_pcm(stack, f"voice-{mode}") as device:
        well = await device.types("and well?")
        before, printed = len(picked(stack, "tts")), stack.workers["tts"].printed_bytes()
        late.fault(mode, SLOW)
        answer = await device.types("and now?")
    assert ASKED_BESIDE in stack.workers["tts"].output(printed)
    assert answer.sentences == SENTENCES
    assert answer.packets == well.packets
    calls = picked(stack, "tts", since=before)
    assert (calls[0], calls.count("tts-2")) == ("tts-1", len(SENTENCES))
    turn = stack.front.events("turn finished")[-1]
    assert (turn["outcome"], turn["tts_instance"]) == ("answered", "tts-2")
    await stack.is_given_back()
    first = learned(stack, stack.own_catalogue.services["tts"].instances[0])
    if mode == "slow":
        assert not first.get("failures")
    else:
        assert first["failures"] == calls.count("tts-1")


async def test_a_voice_that_stops_in_mid_sentence_is_gone_on_from_where_it_was(
    stack: Stack, ranked: Ranked
) -> None:
    await ranked("tts", "high", "low")
    stalling, _ = stack.instances.of("tts")
    async with hears_pcm(stack, "interrupted") as device:
        well = await device.types("and well?")
        before = len(picked(stack, "tts"))
        # The second sentence has a second slice; the others are over with their first.
        stalling.fault("stall-after", 1)
        answer = await device.types("and now?")
    assert answer.sentences == SENTENCES
    assert answer.packets == well.packets
    assert sorted(picked(stack, "tts", since=before)) == [*["tts-1"] * 3, "tts-2"]
    await stack.is_given_back()


@pytest.mark.parametrize("service", ["asr", "tts"])
@pytest.mark.parametrize("others", [[], ["standby"]], ids=["alone", "with one that stands by"])
async def test_a_slow_one_that_nobody_can_stand_in_for_is_waited_for(
    stack: Stack, ranked: Ranked, service: Service, others: list[Priority]
) -> None:
    await ranked(service, "normal", *others)
    slow, _ = stack.instances.of(service)
    async with stack.front.device(f"patient-{service}-{len(others)}") as device:
        await usual(device)
        before = len(picked(stack, service))
        slow.fault("slow", SLOW)
        assert (await device.says()).sentences == SENTENCES
    assert set(picked(stack, service, since=before)) == {f"{service}-1"}
