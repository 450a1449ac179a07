"""Shares of a full service in virtual time, by the real scripts: one device asks twenty times as often."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import pytest

from dispatcher.ops.bench.overload_bench import jain_index
from dispatcher.redis_client import keys
from dispatcher.routing import leases
from dispatcher.routing.leases import FIRST_COME, Slot, WaitingOrder
from tests.support.fleet import TURN, Fleet, llm

SLOTS, HOLD_MS, DEVICES, GREEDY_CALLS = 8, 2_700, 30, 20
LENGTH_MS = 120_000


@dataclass
class FullService:
    """Eight slots of 2.7 s, thirty devices with a call each, and one with twenty; each comes back at once."""

    fleet: Fleet
    is_shared: bool
    now_ms: float = 1_000_000.0
    served: Counter[str] = field(default_factory=Counter)
    devices: dict[str, str] = field(default_factory=dict)
    busy: list[tuple[float, int, Slot]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)

    async def come(self, device: str) -> None:
        """Let a device make a call."""
        self.now_ms += 1
        call = f"call-{next(self.numbers):05}"
        self.devices[call] = device
        await self.look(call)

    async def look(self, call: str) -> None:
        redis, device = self.fleet.redis, self.devices[call]
        if waiting := await redis.execute("ZRANGE", keys.waiting("llm"), 0, -1):
            await redis.execute(
                "ZADD", keys.line("seen", "llm"), *(word for id_ in waiting for word in (self.now_ms, id_))
            )
        order = WaitingOrder(sharer=device) if self.is_shared else FIRST_COME
        found = await leases.pick(redis, "llm", turn_id=TURN, lease_id=call, order=order, now_ms=self.now_ms)
        if isinstance(found, Slot):
            self.served[device] += 1
            heapq.heappush(self.busy, (self.now_ms + HOLD_MS, next(self.numbers), found))

    async def run(self) -> Counter[str]:
        """Serve for two minutes; return the calls that each device was served."""
        for device in [*(f"device-{number}" for number in range(DEVICES)), *["greedy"] * GREEDY_CALLS]:
            await self.come(device)
        end_ms = self.now_ms + LENGTH_MS
        while self.busy and self.busy[0][0] < end_ms:
            at_ms, _, slot = heapq.heappop(self.busy)
            self.now_ms = max(self.now_ms, at_ms)
            await leases.finish(self.fleet.redis, slot, outcome="ignored", latency_ms=0, now_ms=self.now_ms)
            for call in await self.fleet.redis.execute("ZRANGE", keys.waiting("llm"), 0, 0):
                await self.look(call.decode())
            await self.come(self.devices[slot.lease_id])
        return self.served


@pytest.mark.parametrize("is_shared", [True, False])
async def test_one_that_asks_twenty_times_as_often_gets_the_share_of_one(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, *, is_shared: bool
) -> None:
    monkeypatch.setattr(keys, "LEASE_TTL_MS", 2 * HOLD_MS)
    await fleet.configure("round_robin", llm("A", cap=SLOTS))
    served = await FullService(fleet, is_shared).run()
    total, greedy = sum(served.values()), served.pop("greedy")
    assert total >= 0.95 * SLOTS * LENGTH_MS / HOLD_MS
    others = [served[f"device-{number}"] for number in range(DEVICES)]
    if is_shared:
        assert jain_index(others) > 0.95
        assert greedy <= 1.5 * sum(others) / DEVICES
    else:
        assert greedy > 10 * sum(others) / DEVICES
