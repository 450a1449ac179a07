"""One of several processes that meet on the caps of the same instances.

`python -m tests.support.cap_contention URL hammer SECONDS` takes slots again and again, and prints how many
it got, and the highest number of leases that it was ever told of an instance.
`python -m tests.support.cap_contention URL keep COUNT` takes so many slots by the ids of `kept_lease`, says
so, and renews them until it is killed.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import leases
from dispatcher.routing.leases import Slot

CALLERS = 8
RENEW_EVERY_S = 1.0


def kept_lease(number: int) -> str:
    """Name the lease of a slot that is kept."""
    return f"kept-{number}"


async def call_again_and_again(
    redis: RedisClient, until: float, highest: dict[str, int], got: list[str]
) -> None:
    """Take slots, hold each for a moment, give them back."""
    dice = random.Random(until)
    while time.monotonic() < until:
        slot = await leases.pick(redis, "llm", turn_id="hammer")
        if not isinstance(slot, Slot):
            await asyncio.sleep(dice.uniform(0, 0.01))
            continue
        got.append(slot.name)
        highest[slot.name] = max(highest.get(slot.name, 0), slot.in_flight)
        await asyncio.sleep(dice.uniform(0, 0.01))
        await leases.finish(redis, slot, outcome="ok", latency_ms=dice.uniform(1, 10))


async def hammer(redis: RedisClient, seconds: float) -> None:
    """Hammer for a while and print what came of it."""
    highest: dict[str, int] = {}
    got: list[str] = []
    until = time.monotonic() + seconds
    await asyncio.gather(*(call_again_and_again(redis, until, highest, got) for _ in range(CALLERS)))
    sys.stdout.write(f"{len(got)} {max(highest.values(), default=0)}\n")


async def keep(redis: RedisClient, count: int) -> None:
    """Take slots and hold them for good."""
    held: list[Slot] = []
    while len(held) < count:
        slot = await leases.pick(redis, "llm", turn_id="keep", lease_id=kept_lease(len(held)))
        if isinstance(slot, Slot):
            held.append(slot)
        else:
            await asyncio.sleep(0.005)
    sys.stdout.write("kept\n")
    while True:
        await leases.renew(redis, held)
        await asyncio.sleep(RENEW_EVERY_S)


async def main(url: str, what: str, number: float) -> None:
    """Do what the command line says."""
    redis = RedisClient(connect(url))
    await (keep(redis, int(number)) if what == "keep" else hammer(redis, number))
    await redis.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
