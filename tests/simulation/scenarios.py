"""S1 to S4: which instances, how many calls, how long they take, and what goes wrong.

The times of the services are not given with the figures to reach. They are log-normal here, with the
medians and spreads below, chosen so that an ideal single queue comes to about those figures.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from dispatcher.catalogue.model import Instance
from dispatcher.messages import Algorithm
from tests.support.fleet import llm

# A call that got no slot after so long counts as an error.
DEADLINE_MS: Final = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What befalls the first instance for a while.

    Attributes:
        slowness: its calls take so many times as long.
        fails_after_ms: all its calls fail after this time; None where they do not fail.
    """

    from_s: float
    until_s: float
    slowness: float = 1.0
    fails_after_ms: float | None = None

    def holds(self, now_ms: float) -> bool:
        """Tell whether it befalls a call that starts now."""
        return self.from_s * 1000 <= now_ms < self.until_s * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the day, the same for every balancer.

    Attributes:
        work_ms: how long an instance that is well takes for it, at the first and the second attempt.
        breaks: whether that attempt fails at its end, on any instance.
    """

    id: str
    arrives_ms: float
    work_ms: tuple[float, float]
    breaks: tuple[bool, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Instances, calls and a fault.

    Attributes:
        median_ms: of the service time; sigma: its spread, of the logarithm.
        load: share of all slots in use on average, with all instances well.
        broken_ratio: share of calls that fail on an instance that is well.
    """

    name: Literal["S1", "S2", "S3", "S4"]
    title: str
    algorithm: Algorithm
    instances: tuple[Instance, ...]
    median_ms: float
    sigma: float
    load: float
    seconds: float
    fault: Fault | None = None
    broken_ratio: float = 0.0

    @property
    def calls_per_s(self) -> float:
        """Calls that arrive in a second, on average."""
        mean_s = self.median_ms / 1000 * math.exp(self.sigma**2 / 2)
        return self.load * sum(each.max_concurrent for each in self.instances) / mean_s

    def lasting(self, seconds: float) -> Scenario:
        """Return the same for a longer or shorter time; what goes wrong keeps its times."""
        return replace(self, seconds=seconds)

    def with_fault_from(self, from_s: float) -> Scenario:
        """Return the same with its fault at another time, as long as before."""
        assert self.fault is not None
        until_s = from_s + self.fault.until_s - self.fault.from_s
        return replace(self, fault=replace(self.fault, from_s=from_s, until_s=until_s))

    def calls(self, seed: int) -> Iterator[Call]:
        """Yield the calls of one run by arrival: a Poisson process."""
        dice = random.Random(f"{self.name} {seed}")
        now_ms = number = 0.0
        while (now_ms := now_ms + dice.expovariate(self.calls_per_s) * 1000) < self.seconds * 1000:
            number += 1
            yield Call(
                id=f"{seed}-{number:g}",
                arrives_ms=now_ms,
                work_ms=(self._work_ms(dice), self._work_ms(dice)),
                breaks=(dice.random() < self.broken_ratio, dice.random() < self.broken_ratio),
            )

    def _work_ms(self, dice: random.Random) -> float:
        return dice.lognormvariate(math.log(self.median_ms), self.sigma)


S1: Final = Scenario(
    name="S1",
    title="ASR, caps 10:5, weights 2:1, 80 % load",
    algorithm="least_connections",
    instances=(llm("A", cap=10, weight=2), llm("B", cap=5, weight=1)),
    median_ms=282,
    sigma=0.35,
    load=0.8,
    seconds=120,
)
S2: Final = Scenario(
    name="S2",
    title="LLM, caps 8:3, 80 % load",
    algorithm="response_time",
    instances=(llm("A", cap=8), llm("B", cap=3)),
    median_ms=332,
    sigma=0.34,
    load=0.8,
    seconds=120,
)
S3: Final = Scenario(
    name="S3",
    title="LLM, caps 8:4:4, 40 % load, the largest ten times slower for 30 s",
    algorithm="response_time",
    instances=(llm("A", cap=8), llm("B", cap=4), llm("C", cap=4)),
    median_ms=340,
    sigma=0.35,
    load=0.4,
    seconds=120,
    fault=Fault(from_s=20, until_s=50, slowness=10),
)
S4: Final = Scenario(
    name="S4",
    title="LLM, caps 8:4:4, 40 % load, the largest fails in 5 ms for 30 s, 1 % fail anywhere",
    algorithm="response_time",
    instances=S3.instances,
    median_ms=340,
    sigma=0.35,
    load=0.4,
    seconds=120,
    fault=Fault(from_s=20, until_s=50, fails_after_ms=5),
    broken_ratio=0.01,
)
SCENARIOS: Final = (S1, S2, S3, S4)
