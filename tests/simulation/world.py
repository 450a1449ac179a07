"""A day of calls in virtual time: they arrive, are given to an instance, end, and are tried again.

Calls that get no slot wait as the router lets them: woken when one is freed for them, and looking by
themselves every quarter of a second.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from dispatcher.routing.lease_line import LEASE_POLL_INTERVAL_S
from dispatcher.routing.router import RENEW_EVERY_S
from tests.simulation.balancers import Balancer
from tests.simulation.scenarios import DEADLINE_MS, Call, Scenario

ATTEMPTS: Final = 2


@dataclass(slots=True, kw_only=True)
class Flow:
    """A call on its way.

    Attributes:
        look_at_ms: when it looks for a slot again by itself, while it waits.
        name: the instance that has it, or had it last.
    """

    call: Call
    attempt: int = 0
    excluded: list[str] = field(default_factory=list)
    name: str | None = None
    given_ms: float = 0.0
    fails: bool = False
    look_at_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call that is over.

    Attributes:
        took_ms: from its arrival to its end, waits and the second attempt included.
        attempts: how often it was given to an instance.
        name: the instance that had it last; None where none did.
    """

    arrived_ms: float
    took_ms: float
    attempts: int
    succeeded: bool
    name: str | None


Step: TypeAlias = Callable[[Flow], Awaitable[None]]


class World:
    """One run of a scenario under one balancer."""

    def __init__(self, scenario: Scenario, balancer: Balancer, seed: int) -> None:
        """Prepare; the seed decides all about the calls."""
        self._scenario = scenario
        self._balancer = balancer
        self._caps = {each.name: each.max_concurrent for each in scenario.instances}
        self._at_work: Counter[str] = Counter()
        self._queues: dict[str, deque[Flow]] = defaultdict(deque)
        self._waiting: dict[str, Flow] = {}
        self._calls = scenario.calls(seed)
        self._events: list[tuple[float, int, Step, Flow]] = []
        self._number = 0
        self._now_ms = 0.0
        self._ended: list[Ended] = []
        self.most_at_work: Counter[str] = Counter()

    async def run(self) -> list[Ended]:
        """Let the day pass until the last call is over."""
        self._next_arrival()
        while self._events:
            self._now_ms, _, step, flow = heapq.heappop(self._events)
            await step(flow)
        return self._ended

    def _at(self, at_ms: float, step: Step, flow: Flow) -> None:
        self._number += 1
        heapq.heappush(self._events, (at_ms, self._number, step, flow))

    def _next_arrival(self) -> None:
        call = next(self._calls, None)
        if call is not None:
            self._at(call.arrives_ms, self._arrive, Flow(call=call))

    async def _arrive(self, flow: Flow) -> None:
        self._next_arrival()
        await self._look(flow)

    async def _look_again(self, flow: Flow) -> None:
        if flow.look_at_ms == self._now_ms:
            await self._look(flow)

    async def _look(self, flow: Flow) -> None:
        call = flow.call
        if self._now_ms - call.arrives_ms > DEADLINE_MS:
            self._balancer.leave(call.id)
            self._waiting.pop(call.id, None)
            self._end_of(flow, succeeded=False)
            return
        name = await self._balancer.pick(call.id, self._now_ms, flow.excluded)
        if name is None:
            self._waiting[call.id] = flow
            flow.look_at_ms = self._now_ms + LEASE_POLL_INTERVAL_S * 1000
            self._at(flow.look_at_ms, self._look_again, flow)
            return
        self._waiting.pop(call.id, None)
        flow.look_at_ms, flow.name, flow.given_ms = None, name, self._now_ms
        self._give(flow, name)

    def _give(self, flow: Flow, name: str) -> None:
        if self._at_work[name] >= self._caps[name]:
            assert not self._balancer.has_line, f"more than {self._caps[name]} calls on {name}"
            self._queues[name].append(flow)
            return
        self._at_work[name] += 1
        self.most_at_work[name] = max(self.most_at_work[name], self._at_work[name])
        length_ms, flow.fails = flow.call.work_ms[flow.attempt], flow.call.breaks[flow.attempt]
        fault = self._scenario.fault
        if fault and fault.holds(self._now_ms) and name == self._scenario.instances[0].name:
            length_ms *= fault.slowness
            if fault.fails_after_ms is not None:
                length_ms, flow.fails = fault.fails_after_ms, True
        ends_ms = self._now_ms + length_ms
        renew_ms = flow.given_ms + RENEW_EVERY_S * 1000
        while renew_ms < ends_ms and self._balancer.has_line:
            self._at(renew_ms, self._renew, flow)
            renew_ms += RENEW_EVERY_S * 1000
        self._at(ends_ms, self._finish, flow)

    async def _renew(self, flow: Flow) -> None:
        await self._balancer.renew(flow.call.id, self._now_ms)

    async def _finish(self, flow: Flow) -> None:
        name = flow.name
        assert name is not None
        self._at_work[name] -= 1
        if self._queues[name]:
            self._give(self._queues[name].popleft(), name)
        woken = await self._balancer.finish(
            flow.call.id,
            name,
            succeeded=not flow.fails,
            latency_ms=self._now_ms - flow.given_ms,
            now_ms=self._now_ms,
        )
        if woken in self._waiting:
            await self._look(self._waiting[woken])
        if flow.fails and self._balancer.retries and flow.attempt + 1 < ATTEMPTS:
            flow.attempt += 1
            flow.excluded.append(name)
            await self._look(flow)
        else:
            self._end_of(flow, succeeded=not flow.fails)

    def _end_of(self, flow: Flow, *, succeeded: bool) -> None:
        took_ms = self._now_ms - flow.call.arrives_ms
        self._ended.append(
            Ended(
                arrived_ms=flow.call.arrives_ms,
                took_ms=took_ms,
                attempts=flow.attempt + 1,
                succeeded=succeeded,
                name=flow.name,
            )
        )
