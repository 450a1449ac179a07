"""An instance that stands by has the call when nobody else is in service, and never otherwise."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace

import pytest

from dispatcher.messages import Priority
from tests.support.instances import SENTENCES
from tests.support.stack import Stack
from tests.support.waiting import soon

Second = Callable[[Priority], Awaitable[None]]


@pytest.fixture
async def second(stack: Stack) -> AsyncGenerator[Second]:
    """Give the second LLM instance a priority; afterwards the stack's own file is in force again."""
    own = stack.own_catalogue

    async def give(priority: Priority) -> None:
        llm = own.services["llm"]
        first, other = llm.instances
        instances = (first, replace(other, priority=priority))
        await stack.activate(
            replace(own, services={**own.services, "llm": replace(llm, instances=instances)})
        )

    yield give
    await stack.activate(own)


def answered_by(stack: Stack, device: str) -> list[str]:
    """Return which LLM instance gave each answer that a device heard."""
    turns = stack.front.events("turn finished")
    return [turn["llm_instance"] for turn in turns if turn["device"] == device]


async def test_a_slow_model_has_the_floor_while_another_one_stands_by(stack: Stack, second: Second) -> None:
    await second("standby")
    slow, _ = stack.instances.of("llm")
    # A second and a third to its first sentence: twice the time after which a rival would be asked.
    slow.fault("slow", 30)
    async with stack.front.device("standby-patient") as device:
        for _ in range(2):
            assert (await device.types("what now?")).sentences == SENTENCES
    assert answered_by(stack, "standby-patient") == ["llm-1"] * 2


async def test_a_slow_model_that_is_used_first_has_its_turns_back_after_one_lost_race(
    stack: Stack, second: Second
) -> None:
    stack.restart_worker("llm")
    await second("low")
    slow, _ = stack.instances.of("llm")
    slow.fault("slow", 30)
    async with stack.front.device("standby-learner") as device:
        for _ in range(6):
            assert (await device.types("what now?")).sentences == SENTENCES
    answered = answered_by(stack, "standby-learner")
    assert answered[0] == "llm-2", "a worker that has just begun knows no times"
    assert answered[-3:] == ["llm-1"] * 3
    assert stack.failures("llm", "llm-1") == 0


async def test_a_model_that_fails_leaves_the_turn_to_the_one_that_stands_by(
    stack: Stack, second: Second
) -> None:
    await second("standby")
    failing, _ = stack.instances.of("llm")
    failing.fault("fast-error")
    async with stack.front.device("standby-lucky") as device:
        for _ in range(4):
            assert (await device.types("what now?")).sentences == SENTENCES
        failing.fault("none")

        async def is_back() -> bool:
            await device.types("and now?")
            return answered_by(stack, "standby-lucky")[-1] == "llm-1"

        await soon(is_back, what="the model that was ejected answers again")
    assert answered_by(stack, "standby-lucky")[:4] == ["llm-2"] * 4
