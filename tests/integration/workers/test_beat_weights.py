"""Weights while real workers call real instances: one that becomes slow loses weight, and gets it back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from dispatcher.messages import ADJUST_WEIGHTS, CONTROL_QUEUE
from dispatcher.routing import instance_table
from tests.support.broker import Broker
from tests.support.clockwork import Clockwork, events, times_s
from tests.support.front_side import FrontSide
from tests.support.instances import Instances
from tests.support.processes import Process
from tests.support.waiting import soon

# A minute of the rule.
PERIOD_S = 2.4
TURNS_AT_ONCE = 12
LONG_S = 60.0


@asynccontextmanager
async def people_talking(front_side: FrontSide) -> AsyncGenerator[None]:
    """Have typed turns under way all the time."""

    async def talk() -> None:
        while True:
            for ticket in [await front_side.types() for _ in range(TURNS_AT_ONCE)]:
                await front_side.reads(ticket, "end")

    talking = asyncio.create_task(talk())
    yield
    assert not talking.done(), talking.exception()
    talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)


class Watched:
    """What is seen of the weight of the first LLM instance, and of how often weights are looked at."""

    def __init__(self, front_side: FrontSide, control: Process) -> None:
        self._redis = front_side.redis
        self._control = control

    def looks(self) -> int:
        return len(times_s(self._control, "tick taken", task=ADJUST_WEIGHTS))

    async def are_looked_at(self) -> None:
        async def twice() -> bool:
            return self.looks() >= 2

        await soon(twice, what="weights are looked at", within_s=LONG_S)

    async def is_multiplied_with(self, least: float, most: float) -> None:
        async def reached() -> bool:
            fields = await instance_table.read(self._redis, "llm", "llm-1")
            return least < float(fields.get("adjustment", 1)) < most

        await soon(reached, what=f"a factor of {least} to {most}", within_s=LONG_S)

    def told(self) -> list[str]:
        changes = events(self._control, "weight adjusted", instance="llm-1")
        return [f"{change['before']} -> {change['after']}: {change['why']}" for change in changes]


async def test_a_slowed_instance_loses_weight_within_two_periods_and_gets_it_back(
    tmp_path: Path, fresh_broker: Broker, instances: Instances, front_side: FrontSide
) -> None:
    slowed = instances.of("llm")[0]
    with Clockwork.made(tmp_path, fresh_broker, instances, tick_scale=PERIOD_S / 60) as clockwork:
        clockwork.configure_service("llm", algorithm="weighted_round_robin")
        control, _, _ = clockwork.worker(CONTROL_QUEUE), clockwork.worker("llm"), clockwork.beat()
        weight = Watched(front_side, control)
        async with people_talking(front_side):
            await weight.are_looked_at()
            before = weight.looks()
            slowed.fault("slow", 10)
            await weight.is_multiplied_with(0, 0.9)
            took = weight.looks() - before
            slowed.fault("none")
            await weight.is_multiplied_with(0.92, 2)
    sys.stdout.write("\n".join(weight.told()))
    # The first look comes at any moment of the first period.
    assert took <= 3
    assert weight.told()
