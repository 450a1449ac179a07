"""Turns of many devices in virtual time: one of two LLM instances is slow for some minutes.

The scripts of the product choose, on a real Valkey; its own measures decide when another instance is asked
beside a late one, and what that may cost. What is counted is how long a user waits for the first sentence.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

from dispatcher.messages import Algorithm, Service
from dispatcher.pipeline.hedged_call import HEDGE_POLL_INTERVAL_S
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import adjustments, instance_table, leases
from dispatcher.routing.leases import Outcome, PickMode, Slot
from dispatcher.routing.rules.hedging import HEDGE_POLICIES, HedgeBudget, LatencyEstimator
from tests.support.fleet import llm

INSTANCES: Final = (llm("A", cap=60), llm("B", cap=60))
SLOW: Final = "A"
FIRST_TOKEN_MS, SLOW_FIRST_TOKEN_MS, SENTENCE_MS, REST_MS = 300.0, 3000.0, 300.0, 2000.0
SIGMA: Final = 0.15
PERIOD_MS: Final = 60_000.0
# 0 would mean "never" to the scripts.
BEGAN_MS: Final = 1_000_000.0
# Later than so many times what the quick instance would have taken for this very turn.
LATE: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowInstanceDay:
    """How often its users speak, and when the first instance is slow.

    Attributes:
        back_s: how long the turns go on after it has recovered.
    """

    algorithm: Algorithm
    turns_per_s: float
    well_s: float = 60.0
    slow_s: float = 600.0
    back_s: float = 240.0

    def is_slow(self, at_ms: float) -> bool:
        """Tell whether a call that begins now is slow on the first instance."""
        return self.slow_from_ms <= at_ms < self.slow_until_ms

    @property
    def slow_from_ms(self) -> float:
        """When it becomes slow."""
        return BEGAN_MS + self.well_s * 1000

    @property
    def slow_until_ms(self) -> float:
        """When it has recovered."""
        return self.slow_from_ms + self.slow_s * 1000


@dataclass(slots=True, kw_only=True, eq=False)
class Turn:
    """One answer that a user waits for.

    Attributes:
        pace: how much longer or shorter than usual it takes, on any instance.
        heard_ms: when the first sentence came.
        by: who gave it.
    """

    at_ms: float
    pace: float
    attempts: list[Attempt] = field(default_factory=list)
    heard_ms: float | None = None
    by: str = ""

    @property
    def is_late(self) -> bool:
        """Whether the user waited for longer than the quick instance explains."""
        assert self.heard_ms is not None
        return self.heard_ms - self.at_ms > LATE * self.pace * (FIRST_TOKEN_MS + SENTENCE_MS)


@dataclass(slots=True, kw_only=True, eq=False)
class Attempt:
    """A call to one instance for a turn, or a probe beside it."""

    turn: Turn
    slot: Slot
    at_ms: float
    first_ms: float
    is_probe: bool = False
    is_over: bool = False
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LatenessFigures:
    """What users heard while one instance was slow, and afterwards.

    Attributes:
        onset_late: late turns of the first ten seconds, on average of the runs.
        late_ratio: late turns of all while it was slow.
        probe_ratio: probes for each turn while it was slow.
        beside_ratio: second requests of late turns, for each turn.
        share_back: of the recovered instance, from two periods after its recovery on.
    """

    turns: int
    onset_late: float
    late_ratio: float
    probe_ratio: float
    beside_ratio: float
    share_back: float


Step: TypeAlias = Callable[[], Awaitable[None]]


class SlowInstanceRun:
    """One run: turns arrive, are answered, and teach."""

    def __init__(self, redis: RedisClient, day: SlowInstanceDay, seed: int) -> None:
        """Prepare; the seed decides when turns arrive and how long they take."""
        self.turns: list[Turn] = []
        self.probes_ms: list[float] = []
        self.beside_ms: list[float] = []
        self._redis = redis
        self._day = day
        self._dice = random.Random(f"{day.turns_per_s} {seed}")
        name = f"{day.turns_per_s:g}-{day.well_s:g}".replace(".", "-")
        self._service = cast("Service", f"house-{day.algorithm}-{name}-{seed}")
        self._usual = LatencyEstimator(HEDGE_POLICIES["llm"])
        self._budget = HedgeBudget(BEGAN_MS / 1000)
        self._suspects: list[str] = []
        self._events: list[tuple[float, int, Step]] = []
        self._number = 0
        self._now_ms = BEGAN_MS

    async def run(self) -> SlowInstanceRun:
        """Let the time pass."""
        await instance_table.publish_instances(self._redis, self._service, self._day.algorithm, INSTANCES)
        self._next_turn()
        self._at(BEGAN_MS, self._adjust)
        while self._events:
            self._now_ms, _, step = heapq.heappop(self._events)
            await step()
        return self

    def _at(self, at_ms: float, step: Step) -> None:
        self._number += 1
        heapq.heappush(self._events, (at_ms, self._number, step))

    def _next_turn(self) -> None:
        at_ms = self._now_ms + self._dice.expovariate(self._day.turns_per_s) * 1000
        if at_ms < self._day.slow_until_ms + self._day.back_s * 1000:
            turn = Turn(at_ms=at_ms, pace=self._dice.lognormvariate(0, SIGMA))
            self._at(at_ms, lambda: self._arrive(turn))

    async def _adjust(self) -> None:
        await adjustments.adjust(self._redis, self._service, now_ms=self._now_ms)
        if self._now_ms < self._day.slow_until_ms + self._day.back_s * 1000:
            self._at(self._now_ms + PERIOD_MS, self._adjust)

    async def _arrive(self, turn: Turn) -> None:
        self._next_turn()
        self.turns.append(turn)
        self._budget.note_call()
        suspects = set(self._suspects)
        attempt = await self._begin(turn, suspects if len(suspects) < len(INSTANCES) else set(), "offer")
        if attempt.slot.probe and self._budget.try_spend(self._now_ms / 1000):
            self.probes_ms.append(self._now_ms)
            await self._begin(turn, {each.name for each in INSTANCES} - {attempt.slot.probe}, "probe")

    async def _begin(self, turn: Turn, excluded: set[str], mode: PickMode) -> Attempt:
        slot = await leases.pick(
            self._redis,
            self._service,
            turn_id="simulation",
            excluded=excluded,
            lease_id=leases.new_lease_id(),
            mode=mode,
            now_ms=self._now_ms,
        )
        assert isinstance(slot, Slot), slot
        is_slow = slot.name == SLOW and self._day.is_slow(self._now_ms)
        first_ms = turn.pace * ((SLOW_FIRST_TOKEN_MS if is_slow else FIRST_TOKEN_MS) + SENTENCE_MS)
        attempt = Attempt(
            turn=turn, slot=slot, at_ms=self._now_ms, first_ms=first_ms, is_probe=mode == "probe"
        )
        if not attempt.is_probe:
            turn.attempts.append(attempt)
            wait_s = self._usual.wait_s(slot.name, alternative_s=slot.alternative_s)
            self._at(self._now_ms + wait_s * 1000, lambda: self._is_late(attempt))
        self._at(self._now_ms + first_ms, lambda: self._has_first(attempt))
        return attempt

    async def _is_late(self, attempt: Attempt) -> None:
        turn = attempt.turn
        if turn.heard_ms is not None or attempt.is_over or len(turn.attempts) > 1:
            return
        if not self._budget.try_spend(self._now_ms / 1000):
            self._at(self._now_ms + HEDGE_POLL_INTERVAL_S * 1000, lambda: self._is_late(attempt))
            return
        attempt.is_late = True
        self._suspects.append(attempt.slot.name)
        self.beside_ms.append(self._now_ms)
        await self._begin(turn, {attempt.slot.name}, "spare")

    async def _has_first(self, attempt: Attempt) -> None:
        if attempt.is_over:
            return
        self._usual.note(attempt.slot.name, attempt.first_ms / 1000)
        turn = attempt.turn
        if attempt.is_probe:
            await self._end(attempt, "probed")
        elif turn.heard_ms is not None:
            await self._end(attempt, "ignored")
        else:
            turn.heard_ms, turn.by = self._now_ms, attempt.slot.name
            self._trust(attempt)
            self._at(self._now_ms + turn.pace * REST_MS, lambda: self._end(attempt, "ok"))
            for other in turn.attempts:
                if other is not attempt:
                    await self._lose(other)

    async def _lose(self, attempt: Attempt) -> None:
        """Hear out one that is late, for as long as any is; stop one that is in time."""
        if not attempt.is_late:
            attempt.first_ms = 0.0
            await self._end(attempt, "ignored")
            return
        ends_ms = attempt.at_ms + self._usual.policy.silence_s * 1000
        self._at(max(self._now_ms, ends_ms), lambda: self._end(attempt, "failed"))

    def _trust(self, attempt: Attempt) -> None:
        if attempt.is_late:
            attempt.is_late = False
            self._suspects.remove(attempt.slot.name)

    async def _end(self, attempt: Attempt, outcome: Outcome) -> None:
        if attempt.is_over:
            return
        attempt.is_over = True
        self._trust(attempt)
        took_ms = self._now_ms - attempt.at_ms
        await leases.finish(
            self._redis,
            attempt.slot,
            outcome=outcome,
            latency_ms=took_ms,
            first_ms=min(took_ms, attempt.first_ms) or None,
            now_ms=self._now_ms,
        )


async def measure(redis: RedisClient, day: SlowInstanceDay, seeds: Sequence[int]) -> LatenessFigures:
    """Let some runs pass, side by side on one connection, and return what came of all of them."""
    runs = await asyncio.gather(*(SlowInstanceRun(redis, day, seed).run() for seed in seeds))
    slow = [turn for run in runs for turn in run.turns if day.is_slow(turn.at_ms)]
    onset_ms = day.slow_from_ms + 10_000
    back_ms = day.slow_until_ms + 2 * PERIOD_MS
    after = [turn.by for run in runs for turn in run.turns if turn.at_ms >= back_ms]
    return LatenessFigures(
        turns=len(slow),
        onset_late=sum(turn.is_late for turn in slow if turn.at_ms < onset_ms) / len(runs),
        late_ratio=sum(turn.is_late for turn in slow) / len(slow),
        probe_ratio=sum(day.is_slow(at_ms) for run in runs for at_ms in run.probes_ms) / len(slow),
        beside_ratio=sum(day.is_slow(at_ms) for run in runs for at_ms in run.beside_ms) / len(slow),
        share_back=after.count(SLOW) / len(after),
    )
