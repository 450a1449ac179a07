"""Calls that the real router makes, so that real decisions are recorded of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceFailed
from dispatcher.messages import Algorithm
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.router import Router
from tests.support.fleet import catalogue_of

CALLERS = 8


async def record_calls(
    redis: RedisClient,
    algorithm: Algorithm,
    instances: Sequence[Instance],
    *,
    count: int,
    takes_s: dict[str, float],
    failing: str = "",
) -> None:
    """Make so many calls, a few at once; each takes as long as its instance does, the failing one fails."""
    router = Router(redis, catalogue_of(algorithm, instances), activated_at_s=time.time())
    await router.active.sync()
    upcoming = iter(range(count))

    async def call_again_and_again() -> None:
        for number in upcoming:
            try:
                await _attempt(router, number, (), takes_s, failing)
            except InstanceFailed as error:
                await _attempt(router, number, [error.instance], takes_s, failing)

    await asyncio.gather(*(call_again_and_again() for _ in range(CALLERS)))


async def _attempt(
    router: Router, number: int, excluded: Sequence[str], takes_s: dict[str, float], failing: str
) -> None:
    async with router.lease(
        "llm", turn_id=f"turn-{number:04}", deadline_at_s=time.time() + 30, excluded=excluded
    ) as lease:
        name = lease.instance.name
        await asyncio.sleep(takes_s[name])
        if name == failing:
            raise InstanceFailed(name, "told to fail")
