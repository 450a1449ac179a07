"""Parts die and come back while devices talk."""

from __future__ import annotations

import signal

import aiohttp
import pytest

from dispatcher.device_simulator import DeviceOptions, discover
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.messages import SERVICES, Service
from tests.support.device import Answer, Device
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.stack import Stack
from tests.support.waiting import eventually, soon

# From the broker's return until workers consume again.
RECOVERY_S = 30.0


async def spoken_reply(device: Device) -> str:
    """Wait until the front has begun to speak; return what it says first."""
    subtitle = await device.hears(type="tts", state="sentence_start")
    await device.hears_audio(frames=3)
    return str(subtitle["text"])


def assert_apology(answer: Answer) -> None:
    assert answer.sentences == (APOLOGIES["sorry", "en"],)
    assert len(answer.packets) > 10


@pytest.mark.parametrize("service", ["asr", "llm", "tts"])
async def test_after_an_instance_was_killed_every_turn_is_answered(stack: Stack, service: Service) -> None:
    stack.instances.of(service)[0].kill()
    async with stack.front.device(f"survivor-{service}") as device:
        for _ in range(2):
            assert (await device.says()).sentences == SENTENCES


@pytest.mark.parametrize("service", ["asr", "llm", "tts"])
async def test_without_any_instance_of_a_service_the_device_hears_an_apology(
    stack: Stack, service: Service
) -> None:
    for instance in stack.instances.of(service):
        instance.kill()
    async with stack.front.device(f"unlucky-{service}") as device:
        await device.begins_to_say()
        assert await spoken_reply(device) == APOLOGIES["sorry", "en"]
        await device.abort()
        await device.hears(type="tts", state="stop")


async def test_the_apology_is_in_the_language_that_the_device_told_ota(stack: Stack) -> None:
    for llm in stack.instances.of("llm"):
        llm.fault("fast-error")
    options = DeviceOptions(device_id="02:00:00:00:00:2a", language="zh")
    async with aiohttp.ClientSession() as session:
        await discover(session, f"{stack.front.url}/xiaozhi/ota/", options)
    async with stack.front.device(options.device_id) as device:
        await device.begins_to_type("在吗？")
        assert await spoken_reply(device) == APOLOGIES["sorry", "zh"]


async def test_where_no_language_was_told_the_apology_is_in_the_one_that_the_user_types(stack: Stack) -> None:
    for instance in [*stack.instances.of("llm"), *stack.instances.of("asr")]:
        instance.fault("fast-error")
    async with stack.front.device("told-nobody") as device:
        for typed, apology in (
            ("在吗？", APOLOGIES["sorry", "zh"]),
            ("anyone?", APOLOGIES["sorry", "en"]),
            ("几点了？", APOLOGIES["sorry", "zh"]),
        ):
            await device.begins_to_type(typed)
            assert await spoken_reply(device) == apology
            await device.abort()
            await device.hears(type="tts", state="stop")

    async with stack.front.device("told-nobody") as device:
        await device.begins_to_say()
        # Nobody understood this one; the last that was understood was Chinese.
        assert await spoken_reply(device) == APOLOGIES["sorry", "zh"]


async def test_after_an_apology_nobody_works_for_the_turn_any_more(stack: Stack) -> None:
    for asr in stack.instances.of("asr"):
        asr.fault("slow", 600)
    async with stack.front.device("given-up") as device:
        await device.begins_to_say()
        assert await spoken_reply(device) == APOLOGIES["sorry", "en"]

        async def at_rest() -> bool:
            return stack.leases() == 0 and not any(asr.in_flight for asr in stack.instances.of("asr"))

        await soon(at_rest, what="the instances are left in peace", within_s=2.5)


@pytest.mark.parametrize(
    "mode", ["error", "fast-error", "refuse", "hang", "keepalive", "stall-after", "drip"]
)
async def test_an_llm_that_fails_in_its_own_way_is_left_for_the_other(stack: Stack, mode: str) -> None:
    failing, _ = stack.instances.of("llm")
    failing.fault(mode)
    async with stack.front.device(f"llm-{mode}") as device:
        for _ in range(2):
            assert (await device.types("what now?")).sentences == SENTENCES


async def test_without_a_broker_the_device_hears_an_apology_and_an_answer_when_it_is_back(
    stack: Stack,
) -> None:
    async with stack.front.device("tested") as device:
        assert (await device.says()).sentences == SENTENCES
        stack.broker.kill()
        assert_apology(await device.types("anyone?"))
        assert not stack.front.ready()
        stack.broker.start()

        async def is_answered() -> bool:
            return (await device.says()).sentences == SENTENCES

        await soon(is_answered, what="turns are answered again", within_s=RECOVERY_S)
        assert stack.front.ready()
        assert (await device.says()).sentences == SENTENCES
    said = [worker.output() for worker in stack.workers.values()]
    assert any("Connection to broker lost" in each for each in said)
    assert not any("DeprecationWarning" in each for each in said)


async def test_the_first_question_to_a_broker_that_came_back_empty_is_answered_whole(stack: Stack) -> None:
    async with stack.front.device("first") as device:
        assert (await device.says()).sentences == SENTENCES
        stack.broker.kill()
        eventually(lambda: not stack.front.ready(), what="the front knows that no replies come")
        stack.broker.start()
        # The front's reader may be later than its task; nothing that workers say meanwhile is lost.
        answer = await device.says()
        assert (answer.transcript, answer.sentences) == (TRANSCRIPT, SENTENCES)


async def test_a_broker_that_hangs_is_apologised_for_and_turns_are_answered_when_it_goes_on(
    stack: Stack,
) -> None:
    since = stack.front.printed_bytes()
    async with stack.front.device("waiting") as device:
        stack.broker.send_signal(signal.SIGSTOP)
        try:
            await device.begins_to_type("anyone?")
            assert await spoken_reply(device) == APOLOGIES["sorry", "en"]
        finally:
            stack.broker.send_signal(signal.SIGCONT)
        reasons = [str(event["reason"]) for event in stack.front.events("turn apologised for", since)]
        assert reasons
        assert all("no answer in time" in reason for reason in reasons), reasons
        await device.abort()

        async def is_answered() -> bool:
            return (await device.types("and now?")).sentences == SENTENCES

        await soon(is_answered, what="turns are answered again", within_s=RECOVERY_S)


async def test_a_flooded_queue_is_apologised_for_at_once(stack: Stack) -> None:
    # Were one of them awake, it would take over the queue.
    workers = [stack.workers[service] for service in SERVICES]
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    try:
        async with (
            stack.another_front(QUEUE_LIMIT="2") as front,
            front.device("first") as first,
            front.device("second") as second,
            front.device("third") as third,
        ):
            # The command that a stopped worker had sent still takes one message from its queue.
            eventually(lambda: stack.blocked_reads() <= 1, what="only the control worker waits at a queue")
            for device in (first, second, third):
                await device.begins_to_type("quick!")
            assert await spoken_reply(third) == APOLOGIES["sorry", "en"]
            assert not any(each.packet for each in [*first.heard, *second.heard])
            for worker in workers:
                worker.send_signal(signal.SIGCONT)
            assert (await first.answer()).sentences == (await second.answer()).sentences == SENTENCES
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGCONT)
