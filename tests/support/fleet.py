"""The LLM instances of a test in a real broker, and calls that end well or badly."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from dispatcher.catalogue.model import Catalogue, HealthRules, Instance, ServiceConfig
from dispatcher.messages import SERVICES, Algorithm, Priority, Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table, leases
from dispatcher.routing.leases import NoSlot, Outcome, Slot

TURN = "a-turn"
LONG_MS = 3_600_000
TIMES = (
    *("ejected_until_ms", "held_until_ms", "recovered_at_ms"),
    *("latency_at_ms", "failed_at_ms", "checked_at_ms", "tried_since_ms"),
)


def llm(name: str, *, weight: float = 1, cap: int = 10, priority: Priority = "normal") -> Instance:
    """Return an LLM instance that nobody will really call."""
    return Instance(
        service="llm",
        name=name,
        endpoint=f"http://127.0.0.1:9/{name}",
        weight=weight,
        priority=priority,
        max_concurrent=cap,
    )


def catalogue_of(algorithm: Algorithm, instances: Sequence[Instance]) -> Catalogue:
    """Return a catalogue that has these LLM instances and no others."""
    services: dict[Service, ServiceConfig] = {
        service: ServiceConfig(service=service, algorithm=algorithm, instances=()) for service in SERVICES
    }
    services["llm"] = ServiceConfig(service="llm", algorithm=algorithm, instances=tuple(instances))
    return Catalogue(path="", services=services)


class Fleet:
    """Configured instances, and what happens to them."""

    def __init__(self, redis: RedisClient) -> None:
        """Use the line; `configure` comes first."""
        self.redis = redis

    async def configure(self, algorithm: Algorithm, *instances: Instance) -> None:
        """Publish the instances as a process does when it starts."""
        await instance_table.publish(self.redis, catalogue_of(algorithm, instances))

    async def try_pick(self, *, excluded: Collection[str] = (), turn_id: str = TURN) -> Slot | NoSlot:
        """Pick and lease, or learn that there is nothing."""
        return await leases.pick(self.redis, "llm", turn_id=turn_id, excluded=excluded)

    async def pick(
        self, *, excluded: Collection[str] = (), dialogue: str = "", now_ms: float | None = None
    ) -> Slot:
        """Pick and lease; there has to be a slot."""
        slot = await leases.pick(
            self.redis, "llm", turn_id=TURN, excluded=excluded, dialogue=dialogue, now_ms=now_ms
        )
        assert isinstance(slot, Slot), slot
        return slot

    async def pick_in_turn(self, count: int) -> str:
        """Make calls one after the other, each over before the next; return the names joined."""
        names = []
        for _ in range(count):
            slot = await self.pick()
            names.append(slot.name)
            await self.finish(slot, "ignored")
        return "".join(names)

    async def hold(self, count: int) -> Counter[str]:
        """Make calls that do not end; return how many each instance got."""
        return Counter([(await self.pick()).name for _ in range(count)])

    async def hold_on(self, count: int) -> None:
        """Make calls that do not end, and whose leases somebody renews however long the test takes."""
        for slot in [await self.pick() for _ in range(count)]:
            await self.renew_for_long(slot)

    async def renew_for_long(self, slot: Slot) -> None:
        """Hold a slot for longer than any test takes, as if its lease were renewed all the time."""
        held = keys.leases(slot.service, slot.name)
        await self.redis.execute("ZADD", held, time.time() * 1000 + LONG_MS, slot.lease_id)

    async def finish(self, slot: Slot, outcome: Outcome, *, latency_ms: float = 100) -> str:
        """End a call; return what that changed."""
        return await leases.finish(self.redis, slot, outcome=outcome, latency_ms=latency_ms)

    async def call_ends(
        self, name: str, outcome: Outcome, *, times: int = 1, latency_ms: float = 100
    ) -> list[str]:
        """Let calls to one instance end, whatever would be picked; return what each changed."""
        slot = Slot(service="llm", name=name, lease_id="elsewhere", in_flight=1, reason="")
        return [await self.finish(slot, outcome, latency_ms=latency_ms) for _ in range(times)]

    async def check(self, name: str, *results: bool) -> list[str]:
        """Run active health checks with these results; return what each changed."""
        rules = HealthRules(failure_threshold=3, recovery_threshold=2)
        return [
            await instance_table.note_check(
                self.redis, llm(name), reason="" if passed else "check failed", rules=rules
            )
            for passed in results
        ]

    async def set_fields(self, name: str, **fields: float | str) -> None:
        """Write what an instance reports of itself, or an operator decided."""
        flat = [word for pair in fields.items() for word in pair]
        await self.redis.execute("HSET", keys.instance("llm", name), *flat)

    async def fields(self, name: str) -> Mapping[str, str]:
        """Return what is known of an instance."""
        return await instance_table.read(self.redis, "llm", name)

    async def in_flight(self, name: str) -> int:
        """Return how many leases of an instance have not expired."""
        now_s, now_us = await self.redis.execute("TIME")
        now_ms = int(now_s) * 1000 + int(now_us) // 1000
        return int(await self.redis.execute("ZCOUNT", keys.leases("llm", name), f"({now_ms}", "+inf"))

    async def time_passes(self, seconds: float, *names: str) -> None:
        """Move all that is dated on these instances into the past, instead of waiting."""
        for name in names:
            fields = await self.fields(name)
            dated = {field: float(fields[field]) for field in TIMES if float(fields.get(field, 0)) > 0}
            if dated:
                await self.set_fields(name, **{key: at - seconds * 1000 for key, at in dated.items()})
            held = keys.leases("llm", name)
            for lease_id in await self.redis.execute("ZRANGE", held, 0, -1):
                await self.redis.execute("ZINCRBY", held, -seconds * 1000, lease_id)
