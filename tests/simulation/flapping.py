"""An instance that fails for a while, or again and again, and what the scripts make of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from dispatcher.redis_client.client import RedisClient
from tests.simulation.balancers import Scripts
from tests.simulation.scenarios import S4, Fault, Scenario
from tests.simulation.world import Ended, World

BEGINS_S: Final = 20.0
ENDS_S: Final = 80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping(Fault):
    """A fault that comes and goes.

    Attributes:
        phase_s: so long it holds, and so long it does not.
    """

    phase_s: float

    def holds(self, now_ms: float) -> bool:
        """Tell whether it befalls a call that starts now."""
        since_s = now_ms / 1000 - self.from_s
        within = self.from_s * 1000 <= now_ms < self.until_s * 1000
        return within and since_s % (2 * self.phase_s) < self.phase_s


def flapping(phase_s: float) -> Scenario:
    """Return S4 with a largest instance that fails and is well for so long each, during a minute."""
    fault = Flapping(from_s=BEGINS_S, until_s=ENDS_S, fails_after_ms=50, phase_s=phase_s)
    return replace(S4, seconds=150, broken_ratio=0.0, fault=fault)


# The largest instance fails for three seconds, and never again.
ONE_FAULT: Final[Scenario] = replace(
    S4, seconds=80, broken_ratio=0.0, fault=Fault(from_s=BEGINS_S, until_s=BEGINS_S + 3, fails_after_ms=50)
)


class Watched(Scripts):
    """The scripts, and what they did with the instance that flaps."""

    def __init__(self, redis: RedisClient, scenario: Scenario, seed: int) -> None:
        """Use the line; `configure` comes first."""
        super().__init__(redis, scenario, seed)
        self.given_ms: list[tuple[float, str]] = []
        self.failed_ms: list[float] = []

    async def pick(self, call_id: str, now_ms: float, excluded: Collection[str]) -> str | None:
        """Note who gets a call."""
        name = await super().pick(call_id, now_ms, excluded)
        if name is not None:
            self.given_ms.append((now_ms, name))
        return name

    async def finish(
        self, call_id: str, name: str, *, succeeded: bool, latency_ms: float, now_ms: float
    ) -> str | None:
        """Note what failed."""
        if not succeeded:
            self.failed_ms.append(now_ms)
        return await super().finish(call_id, name, succeeded=succeeded, latency_ms=latency_ms, now_ms=now_ms)

    def given(self, from_s: float, until_s: float) -> Counter[str]:
        """Return how many calls each instance was given within a time."""
        return Counter(name for at_ms, name in self.given_ms if from_s * 1000 <= at_ms < until_s * 1000)

    def failures(self, from_s: float, until_s: float) -> int:
        """Return how many calls failed within a time."""
        return sum(from_s * 1000 <= at_ms < until_s * 1000 for at_ms in self.failed_ms)


async def run(redis: RedisClient, scenario: Scenario, seed: int) -> tuple[Watched, list[Ended]]:
    """Let the calls of one seed pass."""
    watched = Watched(redis, scenario, seed)
    await watched.configure()
    return watched, await World(scenario, watched, seed).run()
