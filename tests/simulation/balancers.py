"""Who chooses: what the simulation asks of them, and the scripts of the product."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, cast

from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table, leases
from dispatcher.routing.leases import Slot
from tests.simulation.scenarios import Scenario


class Balancer(Protocol):
    """What the simulation asks of whoever chooses.

    Attributes:
        retries: whether a failed call is tried once more elsewhere.
        has_line: whether a call waits for a slot here; else it queues at the instance.
    """

    retries: bool
    has_line: bool

    async def pick(self, call_id: str, now_ms: float, excluded: Collection[str]) -> str | None:
        """Return the instance for a call, or None when it has to wait."""

    async def finish(
        self, call_id: str, name: str, *, succeeded: bool, latency_ms: float, now_ms: float
    ) -> str | None:
        """Learn that a call is over; return the id of the waiting call that is to look again."""

    async def renew(self, call_id: str, now_ms: float) -> None:
        """Hold the slot of a long call."""

    def leave(self, call_id: str) -> None:
        """Forget a call that waits no longer."""


class Scripts:
    """The Lua scripts in a real Valkey, told the time of the simulation.

    Each run is a service of its own, so that many runs share one connection and its batches.
    """

    retries = True
    has_line = True

    def __init__(self, redis: RedisClient, scenario: Scenario, seed: int) -> None:
        """Use the line; `configure` comes first."""
        self._redis = redis
        self._scenario = scenario
        self._service = cast("Service", f"{scenario.name}-{seed}")
        self._held: dict[str, Slot] = {}
        self._waiting: set[str] = set()

    async def configure(self) -> None:
        """Publish the instances as a process does when it starts."""
        await instance_table.publish_instances(
            self._redis, self._service, self._scenario.algorithm, self._scenario.instances
        )

    async def pick(self, call_id: str, now_ms: float, excluded: Collection[str]) -> str | None:
        """Ask the pick script."""
        slot = await leases.pick(
            self._redis,
            self._service,
            turn_id="simulation",
            excluded=excluded,
            lease_id=call_id,
            now_ms=now_ms,
        )
        if not isinstance(slot, Slot):
            assert slot.full, (call_id, slot)
            self._waiting.add(call_id)
            return None
        self._waiting.discard(call_id)
        self._held[call_id] = slot
        return slot.name

    async def finish(
        self, call_id: str, name: str, *, succeeded: bool, latency_ms: float, now_ms: float
    ) -> str | None:
        """Tell the finish script; who may use the slot first is read here as it is published there."""
        slot = self._held.pop(call_id)
        assert slot.name == name
        outcome: leases.Outcome = "ok" if succeeded else "failed"
        await leases.finish(self._redis, slot, outcome=outcome, latency_ms=latency_ms, now_ms=now_ms)
        if not self._waiting:
            return None
        return await self._first_who_may_use(name)

    async def _first_who_may_use(self, name: str) -> str | None:
        in_line: list[bytes] = await self._redis.execute("ZRANGE", keys.waiting(self._service), 0, -1)
        for call_id in in_line:
            barred: bytes | None = await self._redis.execute(
                "HGET", keys.line("excluded", self._service), call_id
            )
            if name.encode() not in (barred or b"").split(b","):
                return call_id.decode()
        return None

    async def renew(self, call_id: str, now_ms: float) -> None:
        """Renew the lease, as the router does."""
        await leases.renew(self._redis, [self._held[call_id]], now_ms=now_ms)

    def leave(self, call_id: str) -> None:
        """Leave the line."""
        self._waiting.discard(call_id)
        leases.leave(self._redis, self._service, call_id)
