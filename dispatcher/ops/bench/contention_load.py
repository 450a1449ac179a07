"""Contention load: one of several processes on the same caps, with a plan on stdin.

It takes slots of one instance as fast as it gets them, holds each for a moment and gives it back.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.ops.bench.measuring_process import carry_out
from dispatcher.ops.bench.routing_load import SERVICE, TURN
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import leases
from dispatcher.routing.leases import Slot

HOLD_S: Final = 0.005
SLOT_POLL_INTERVAL_S: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentionPlan:
    """What a hammer process does: `callers` take slots again and again for some seconds."""

    redis_url: str
    callers: int
    seconds: float


async def run(plan: ContentionPlan) -> dict[str, Any]:
    """Return how many slots were taken, and how many leases an instance ever had."""
    redis = RedisClient(connect(plan.redis_url))
    until = time.monotonic() + plan.seconds
    taken: list[int] = []

    async def take_again_and_again(number: int) -> None:
        dice = random.Random(number)  # noqa: S311  pauses, not secrets
        while time.monotonic() < until:
            slot = await leases.pick(redis, SERVICE, turn_id=TURN)
            if not isinstance(slot, Slot):
                await asyncio.sleep(SLOT_POLL_INTERVAL_S)
                continue
            taken.append(slot.in_flight)
            await asyncio.sleep(dice.uniform(0, HOLD_S))
            await leases.finish(redis, slot, outcome="ok", latency_ms=HOLD_S * 500)

    try:
        await asyncio.gather(*(take_again_and_again(number) for number in range(plan.callers)))
    finally:
        await redis.close()
    return {"taken": len(taken), "most": max(taken, default=0)}


async def _run(fields: dict[str, Any]) -> dict[str, Any]:
    return await run(ContentionPlan(**fields))


if __name__ == "__main__":
    carry_out(_run)
