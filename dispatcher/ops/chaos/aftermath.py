"""Aftermath of a chaos test: what is still down, leased or kept when nobody talks any more."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dispatcher.ops.chaos.system_under_test import SystemUnderTest
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.key_scan import scan_keys
from dispatcher.routing.overview import read_overview

# A lease ends by itself after its time to live; the work of a killed worker is looked for a little later.
SETTLE_TIMEOUT_S: Final = 3 * keys.LEASE_TTL_MS / 1000
SETTLE_POLL_INTERVAL_S: Final = 0.25
NO_EXPIRY: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """State of a stack when its devices have left.

    Attributes:
        down: processes that do not run and instances that may have no calls: somebody has to look after them.
        leases: held on each instance, though no call is made.
        lasting_keys: keys without an expiry that were not there before, by the part before their colon.
    """

    down: tuple[str, ...] = ()
    leases: Mapping[str, int] = field(default_factory=dict)
    lasting_keys: Mapping[str, int] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """What makes the run fail, in words."""
        found = [f"{name} did not come back by itself" for name in self.down]
        found += [f"{count} leases on {name} outlive their calls" for name, count in self.leases.items()]
        lasting = self.lasting_keys.items()
        return found + [f"{count} more keys {name}:… without an expiry" for name, count in lasting]


async def read_aftermath(system: SystemUnderTest, lasting_before: Mapping[str, int]) -> Aftermath:
    """Return what is left; what ends by itself within its time to live is waited for.

    Args:
        system: nobody talks to it any more.
        lasting_before: `count_lasting_keys` when nothing had been broken yet.

    Raises:
        StateError: Redis is out of reach.
        StartError: nothing allows faults any more.
    """
    deadline_s = time.monotonic() + SETTLE_TIMEOUT_S
    while True:
        found = await _look(system, lasting_before)
        if not found.problems or time.monotonic() > deadline_s:
            return found
        await asyncio.sleep(SETTLE_POLL_INTERVAL_S)


async def count_lasting_keys(redis: RedisClient) -> dict[str, int]:
    """Return how many keys have no expiry, by the part before their colon; those without one are single.

    Raises:
        StateError: Redis is out of reach.
    """
    counted: Counter[str] = Counter()
    async for names in scan_keys(redis):
        named = [name for name in names if b":" in name]
        ttls = await asyncio.gather(*(redis.submit(("TTL", name)) for name in named))
        counted.update(
            name.decode(errors="replace").partition(":")[0]
            for name, ttl in zip(named, ttls, strict=True)
            if ttl == NO_EXPIRY
        )
    return dict(counted)


async def _look(system: SystemUnderTest, lasting_before: Mapping[str, int]) -> Aftermath:
    overview = await read_overview(system.redis)
    lasting = await count_lasting_keys(system.redis)
    return Aftermath(
        down=tuple(sorted(await system.down() - system.down_before)),
        leases={one.name: one.in_flight for one in overview.instances if one.in_flight},
        lasting_keys={
            name: count - lasting_before.get(name, 0)
            for name, count in lasting.items()
            if count > lasting_before.get(name, 0)
        },
    )
