"""One of several processes that hammer the caps of the same instances: `python -m … URL SECONDS`.

It prints how many slots it got, and the highest number of leases that it was ever told of an instance.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

from dispatcher.state import leases
from dispatcher.state.leases import Slot
from dispatcher.state.line import RedisLine, connect

CALLERS = 8


async def call_again_and_again(
    line: RedisLine, until: float, highest: dict[str, int], got: list[str]
) -> None:
    """Take slots, hold each for a moment, give them back."""
    dice = random.Random(until)
    while time.monotonic() < until:
        slot = await leases.pick(line, "llm", turn_id="hammer")
        if not isinstance(slot, Slot):
            await asyncio.sleep(0.002)
            continue
        got.append(slot.name)
        highest[slot.name] = max(highest.get(slot.name, 0), slot.in_flight)
        await asyncio.sleep(dice.uniform(0, 0.01))
        await leases.finish(line, slot, outcome="ok", latency_ms=dice.uniform(1, 10))


async def main(url: str, seconds: float) -> None:
    """Hammer for a while and print what came of it."""
    line = RedisLine(connect(url))
    highest: dict[str, int] = {}
    got: list[str] = []
    until = time.monotonic() + seconds
    await asyncio.gather(*(call_again_and_again(line, until, highest, got) for _ in range(CALLERS)))
    await line.close()
    sys.stdout.write(f"{len(got)} {max(highest.values(), default=0)}\n")


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
