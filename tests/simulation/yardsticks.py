"""What the scripts are compared with: an ideal that knows the faults, and four simple rules."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection
from functools import partial
from statistics import fmean
from typing import Final

from tests.simulation.scenarios import Scenario

REMEMBERED: Final = 100


class Ideal:
    """One line before all slots (M/G/k) that never uses an instance while something is wrong with it.

    No balancer can do better on these calls without knowing how long each will take.
    """

    retries = True
    has_line = True

    def __init__(self, scenario: Scenario) -> None:
        """Know the scenario's slots and its fault."""
        self._scenario = scenario
        self._in_flight: Counter[str] = Counter()
        self._redis: deque[str] = deque()

    async def pick(self, call_id: str, now_ms: float, excluded: Collection[str]) -> str | None:
        """Take any free slot of a sound instance."""
        fault = self._scenario.fault
        sick = self._scenario.instances[0].name if fault and fault.holds(now_ms) else None
        for each in self._scenario.instances:
            free = self._in_flight[each.name] < each.max_concurrent
            if free and each.name != sick and each.name not in excluded:
                self._in_flight[each.name] += 1
                self.leave(call_id)
                return each.name
        if call_id not in self._redis:
            self._redis.append(call_id)
        return None

    async def finish(
        self, call_id: str, name: str, *, succeeded: bool, latency_ms: float, now_ms: float
    ) -> str | None:
        """Free the slot; the call that waits longest is next."""
        del call_id, succeeded, latency_ms, now_ms
        self._in_flight[name] -= 1
        return self._redis[0] if self._redis else None

    async def renew(self, call_id: str, now_ms: float) -> None:
        """Do nothing: its slots do not expire."""

    def leave(self, call_id: str) -> None:
        """Take the call out of the line."""
        if call_id in self._redis:
            self._redis.remove(call_id)


class Simple:
    """A rule as it is often written: no caps, no health, no second try; a full instance queues by itself."""

    retries = False
    has_line = False

    def __init__(self, scenario: Scenario, rule: Callable[[Simple], str], seed: int) -> None:
        """Follow the rule."""
        self.names = [each.name for each in scenario.instances]
        self.in_flight: Counter[str] = Counter()
        self.latencies_ms: dict[str, deque[float]] = defaultdict(partial(deque, maxlen=REMEMBERED))
        self.picks = 0
        self.dice = random.Random(seed)
        self._rule = rule

    async def pick(self, call_id: str, now_ms: float, excluded: Collection[str]) -> str | None:
        """Follow the rule whatever the state of the instance."""
        del call_id, now_ms, excluded
        name = self._rule(self)
        self.picks += 1
        self.in_flight[name] += 1
        return name

    async def finish(
        self, call_id: str, name: str, *, succeeded: bool, latency_ms: float, now_ms: float
    ) -> str | None:
        """Count; a failure's time is taken for a time like any other."""
        del call_id, succeeded, now_ms
        self.in_flight[name] -= 1
        self.latencies_ms[name].append(latency_ms)
        return None

    async def renew(self, call_id: str, now_ms: float) -> None:
        """Do nothing: it has no leases."""

    def leave(self, call_id: str) -> None:
        """Do nothing: it has no line."""


def round_robin(simple: Simple) -> str:
    """Take turns."""
    return simple.names[simple.picks % len(simple.names)]


def any_of_them(simple: Simple) -> str:
    """Throw dice."""
    return simple.dice.choice(simple.names)


def fewest_calls(simple: Simple) -> str:
    """Take the smallest raw count; caps and weights do not matter, the first wins a tie."""
    return min(simple.names, key=lambda name: simple.in_flight[name])


def smallest_mean(simple: Simple) -> str:
    """Take the smallest mean of the last calls that ended; one that was never seen counts as zero."""
    return min(
        simple.names, key=lambda name: fmean(simple.latencies_ms[name]) if simple.latencies_ms[name] else 0
    )


SIMPLE_RULES: Final[dict[str, Callable[[Simple], str]]] = {
    "round robin": round_robin,
    "random": any_of_them,
    "fewest calls": fewest_calls,
    "smallest mean": smallest_mean,
}
