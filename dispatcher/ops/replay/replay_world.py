"""Recorded calls once more, in their own time, through the scripts of the product on scratch keys.

Calls arrive when they were recorded; how long each takes comes from an `Estimator`. One that finds no slot
waits as the router lets it: woken when one is freed for it, and looking by itself every quarter of a second.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from dispatcher.catalogue.model import ServiceConfig
from dispatcher.ops.replay.recorded_calls import Estimate, Estimator, RecordedCall
from dispatcher.redis_client import keys
from dispatcher.redis_client.prefixed import PrefixedClient
from dispatcher.routing import instance_table, leases
from dispatcher.routing.lease_line import LEASE_POLL_INTERVAL_S
from dispatcher.routing.leases import Slot
from dispatcher.routing.router import RENEW_EVERY_S

# Scratch keys live a minute, so that many events are well inside it.
KEEP_EVERY_EVENTS: Final = 2_000
TURN: Final = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedAttempt:
    """One attempt of a replayed call: where, why, when, and what it came to."""

    instance: str
    reason: str
    began_ms: float
    estimate: Estimate


@dataclass(slots=True, kw_only=True)
class Replayed:
    """A call on its way through the replay.

    Attributes:
        waited_ms: for slots, all attempts together.
        gave_up: it waited so long that its turn would have been over.
        asked_ms: since when the attempt under way, or the next one, asks for a slot.
    """

    call: RecordedCall
    lease_id: str
    attempts: list[ReplayedAttempt] = field(default_factory=list)
    waited_ms: float = 0.0
    gave_up: bool = False
    asked_ms: float = 0.0
    slot: Slot | None = None
    look_at_ms: float | None = None

    @property
    def succeeded(self) -> bool:
        """Whether its last attempt did not fail."""
        return bool(self.attempts) and self.attempts[-1].estimate.outcome != "failed" and not self.gave_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a replay: its calls, in order of arrival."""

    calls: tuple[Replayed, ...]


Step: TypeAlias = Callable[[Replayed], Awaitable[None]]


class ReplayWorld:
    """One replay of one service."""

    def __init__(
        self, redis: PrefixedClient, config: ServiceConfig, estimator: Estimator, *, longest_wait_s: float
    ) -> None:
        """Prepare; `config` holds the algorithm and the instances to try."""
        self._redis = redis
        self._config = config
        self._estimator = estimator
        self._longest_wait_ms = longest_wait_s * 1000
        self._events: list[tuple[float, int, Step, Replayed]] = []
        self._number = 0
        self._now_ms = 0.0
        self._waiting: dict[str, Replayed] = {}

    async def run(self, calls: Sequence[RecordedCall], on_call: Callable[[], None]) -> Outcome:
        """Let the recorded time pass until the last call is over; `on_call` is called for each that arrives.

        Raises:
            StateError: Redis is out of reach.
        """
        await self._configure()
        flows = [Replayed(call=call, lease_id=f"{number}") for number, call in enumerate(calls)]
        for flow in flows:
            flow.asked_ms = float(flow.call.at_ms)
            self._at(flow.asked_ms, self._look, flow)
        handled = 0
        while self._events:
            self._now_ms, _, step, flow = heapq.heappop(self._events)
            await step(flow)
            handled += 1
            if step == self._look:
                on_call()
            if handled % KEEP_EVERY_EVENTS == 1:
                self._redis.keep()
        return Outcome(calls=tuple(flows))

    async def _configure(self) -> None:
        service, names = self._config.service, [each.name for each in self._config.instances]
        await instance_table.publish_instances(
            self._redis, service, self._config.algorithm, self._config.instances
        )
        if self._config.max_concurrent is not None:
            await self._redis.execute("HSET", keys.fleet(service), "cap", self._config.max_concurrent)
        self._redis.uses(*(keys.leases(service, name) for name in names))

    def _at(self, at_ms: float, step: Step, flow: Replayed) -> None:
        self._number += 1
        heapq.heappush(self._events, (at_ms, self._number, step, flow))

    async def _look_again(self, flow: Replayed) -> None:
        if flow.look_at_ms == self._now_ms:
            await self._look(flow)

    async def _look(self, flow: Replayed) -> None:
        if self._now_ms - flow.call.at_ms > self._longest_wait_ms:
            self._give_up(flow)
            return
        picked = await leases.pick(
            self._redis,
            self._config.service,
            turn_id=TURN,
            excluded=[each.instance for each in flow.attempts],
            lease_id=flow.lease_id,
            now_ms=self._now_ms,
        )
        if isinstance(picked, Slot):
            self._begin(flow, picked)
        elif picked.full:
            self._waiting[flow.lease_id] = flow
            flow.look_at_ms = self._now_ms + LEASE_POLL_INTERVAL_S * 1000
            self._at(flow.look_at_ms, self._look_again, flow)
        else:  # none is left to try
            flow.gave_up = not flow.attempts

    def _give_up(self, flow: Replayed) -> None:
        leases.leave(self._redis, self._config.service, flow.lease_id)
        self._waiting.pop(flow.lease_id, None)
        flow.waited_ms += self._now_ms - flow.asked_ms
        flow.gave_up = True

    def _begin(self, flow: Replayed, slot: Slot) -> None:
        self._waiting.pop(flow.lease_id, None)
        flow.look_at_ms, flow.slot = None, slot
        flow.waited_ms += self._now_ms - flow.asked_ms
        estimate = self._estimator.attempt(flow.call, slot.name, self._now_ms)
        flow.attempts.append(
            ReplayedAttempt(instance=slot.name, reason=slot.reason, began_ms=self._now_ms, estimate=estimate)
        )
        ends_ms = self._now_ms + estimate.latency_ms
        renew_ms = self._now_ms + RENEW_EVERY_S * 1000
        while renew_ms < ends_ms:
            self._at(renew_ms, self._renew, flow)
            renew_ms += RENEW_EVERY_S * 1000
        self._at(ends_ms, self._end, flow)

    async def _renew(self, flow: Replayed) -> None:
        if flow.slot is not None:
            await leases.renew(self._redis, [flow.slot], now_ms=self._now_ms)

    async def _end(self, flow: Replayed) -> None:
        slot, estimate = flow.slot, flow.attempts[-1].estimate
        if slot is None:
            return
        await leases.finish(
            self._redis,
            slot,
            outcome=estimate.outcome,
            latency_ms=estimate.latency_ms,
            origin="theirs" if estimate.outcome == "failed" else None,
            now_ms=self._now_ms,
        )
        flow.slot = None
        await self._wake(slot.name)
        if estimate.outcome == "failed":
            flow.asked_ms = self._now_ms
            await self._look(flow)

    async def _wake(self, name: str) -> None:
        """Let the call look that the finish script calls for: the first in line that may use the instance."""
        if not self._waiting:
            return
        for lease_id in await self._redis.execute("ZRANGE", keys.waiting(self._config.service), 0, -1):
            flow = self._waiting.get(lease_id.decode())
            if flow is not None and name not in [each.instance for each in flow.attempts]:
                await self._look(flow)
                return
