"""What is remembered of a user outlives the dialogue, Redis, and nothing else than `forget` ends it."""

from __future__ import annotations

from dispatcher.messages import KEEP_DEVICES, REMEMBER
from dispatcher.redis_client import keys
from tests.integration.people.tapped_stack import TappedInstances, command, redis
from tests.integration.records.conftest import send
from tests.support.stack import Stack
from tests.support.waiting import soon


async def remembers(tapped_stack: Stack, device_id: str) -> str:
    """Return what is remembered, once something is; the task is sent as beat does."""

    async def look() -> str | None:
        with redis(tapped_stack) as client:
            text: str | None = client.hget(keys.memory(device_id), "text")
            if not text and not client.llen("control"):
                send(tapped_stack.broker, REMEMBER)
        return text

    found = await soon(look, what=f"something of {device_id} is remembered")
    assert found is not None
    return found


async def keeps(tapped_stack: Stack) -> None:
    """Have the control worker write to SQL what changed, and wait until it has."""
    send(tapped_stack.broker, KEEP_DEVICES)

    async def done() -> bool:
        with redis(tapped_stack) as client:
            return not client.exists(keys.DEVICES_CHANGED) and bool(client.exists(keys.DEVICES_RESTORED))

    await soon(done, what="the devices are kept in SQL")


def forget_dialogue(tapped_stack: Stack, device_id: str) -> None:
    """Let the dialogue be over for more than a day."""
    with redis(tapped_stack) as client:
        client.delete(keys.history(device_id))


async def test_what_a_user_said_of_himself_is_known_when_the_dialogue_is_long_over(
    tapped_stack: Stack, asked: TappedInstances
) -> None:
    name = "02:00:00:00:20:01"
    async with tapped_stack.front.device(name) as device:
        await device.types("My name is Ada. What time is it?")
    assert await remembers(tapped_stack, name) == "My name is Ada"
    forget_dialogue(tapped_stack, name)
    asked.forget_asked()
    async with tapped_stack.front.device(name) as device:
        assert any("Ada" in sentence for sentence in (await device.types("what is my name?")).sentences)
    (prompt,) = asked.prompts()
    assert "My name is Ada" in prompt
    async with tapped_stack.front.device("02:00:00:00:20:02") as other:
        told = await other.types("what is my name?")
    assert not [sentence for sentence in told.sentences if "Ada" in sentence]
    for process in tapped_stack.processes:
        assert "Ada" not in process.output()


async def test_a_registry_and_its_memory_come_back_to_a_redis_that_lost_everything(
    tapped_stack: Stack,
) -> None:
    name = "02:00:00:00:21:01"
    async with tapped_stack.front.device(name) as device:
        await device.types("我叫小明。")
    assert await remembers(tapped_stack, name) == "我叫小明"
    await command(tapped_stack, "devices", "name", name, "study")
    await command(tapped_stack, "devices", "block", "02:00:00:00:21:02")
    await keeps(tapped_stack)
    tapped_stack.broker.flush()
    tapped_stack.heal()
    send(tapped_stack.broker, KEEP_DEVICES)
    with redis(tapped_stack) as client:

        async def is_back() -> bool:
            known = client.hget(keys.device(name), "name"), client.hget(keys.memory(name), "text")
            blocked = client.hget(keys.device("02:00:00:00:21:02"), "blocked")
            return (*known, blocked) == ("study", "我叫小明", "1")

        await soon(is_back, what="the registry and the memory are back")


async def test_forget_erases_dialogue_and_memory_everywhere(tapped_stack: Stack) -> None:
    name = "02:00:00:00:22:01"
    async with tapped_stack.front.device(name) as device:
        await device.types("I like green tea.")
    assert await remembers(tapped_stack, name) == "I like green tea"
    await keeps(tapped_stack)
    code, out, err = await command(tapped_stack, "devices", "forget", name)
    assert (code, out) == (0, f"{name}: its dialogue and memory are erased\n"), err
    await keeps(tapped_stack)
    with redis(tapped_stack) as client:
        assert not client.exists(keys.memory(name), keys.history(name))
        client.delete(keys.DEVICES_RESTORED)
        send(tapped_stack.broker, KEEP_DEVICES)
        await keeps(tapped_stack)
        assert not client.exists(keys.memory(name))
