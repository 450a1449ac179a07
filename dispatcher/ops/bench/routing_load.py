"""Load on the balancing alone: time of a pick, its commands, and the shares of instances."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.catalogue.model import Instance
from dispatcher.errors import NoInstanceAvailable
from dispatcher.messages import Algorithm, Service
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import Value
from dispatcher.routing import instance_table, leases
from dispatcher.routing.leases import Slot

SERVICE: Final[Service] = "llm"
TURN: Final = "bench"
# Three instances, the fewest at which an algorithm has to choose twice.
WEIGHTS: Final[Mapping[str, float]] = {"A": 5, "B": 3, "C": 2}
CAPS: Final[Mapping[str, int]] = {"A": 8, "B": 3, "C": 4}
ROOMY: Final = 100
# A cycle of the turns is the sum of the weights; so many calls are under way at once.
CYCLE: Final = int(sum(WEIGHTS.values()))
AT_ONCE: Final = CYCLE
CALL_MS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long so many callers waited, in ms for each call, and how many picks a second came of it."""

    callers: int
    picks_ms: tuple[float, ...]
    finishes_ms: tuple[float, ...]
    picks_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one pick costs Redis, on average.

    Attributes:
        round_trips: requests that arrived in packets of their own.
        commands: what the caller sent, the script itself among it.
        script_us: that Redis itself was at work for it, by its own clock, without the way there and back.
        inner: commands inside the script, by name.
    """

    round_trips: float
    commands: float
    script_us: float
    inner: Mapping[str, float]


class CountingLine(RedisClient):
    """A line that counts the commands that it is given; `commands` is how many."""

    commands = 0

    def submit(self, command: Sequence[Value], *, repeatable: bool | None = None) -> asyncio.Future[Any]:
        """Count, then send."""
        self.commands += 1
        return super().submit(command, repeatable=repeatable)

    def send_nowait(self, *command: Value, repeatable: bool = False) -> None:
        """Count, then send."""
        self.commands += 1
        super().send_nowait(*command, repeatable=repeatable)


def instances(*, weights: Mapping[str, float], caps: Mapping[str, int]) -> list[Instance]:
    """Return LLM instances that nobody will really call."""
    return [
        Instance(
            service=SERVICE,
            name=name,
            endpoint=f"http://127.0.0.1:9/{name}",
            weight=weight,
            max_concurrent=caps[name],
        )
        for name, weight in weights.items()
    ]


async def begin(redis: RedisClient, algorithm: Algorithm, them: Sequence[Instance]) -> None:
    """Empty the bench's own Redis and publish the instances."""
    await redis.execute("FLUSHDB")
    await instance_table.publish_instances(redis, SERVICE, algorithm, them)


async def pick(redis: RedisClient) -> Slot:
    """Return a slot; there has to be one.

    Raises:
        NoInstanceAvailable: there is none.
    """
    slot = await leases.pick(redis, SERVICE, turn_id=TURN, lease_id=leases.new_lease_id())
    if isinstance(slot, Slot):
        return slot
    raise NoInstanceAvailable(SERVICE, "all full")


async def time_pings(redis: RedisClient, count: int) -> Timing:
    """Return how long the way to Redis and back takes without any work."""
    times = []
    begun = time.perf_counter()
    for _ in range(count):
        asked = time.perf_counter()
        await redis.execute("PING")
        times.append((time.perf_counter() - asked) * 1000)
    spent_s = time.perf_counter() - begun
    return Timing(callers=0, picks_ms=tuple(times), finishes_ms=(), picks_per_s=count / spent_s)


async def time_calls(redis: RedisClient, callers: int, count: int, on_call: Callable[[], None]) -> Timing:
    """Return how long picks and ends take when so many callers of one process call again and again."""
    await begin(redis, "response_time", instances(weights=WEIGHTS, caps=dict.fromkeys(WEIGHTS, ROOMY)))
    upcoming = iter(range(count))
    picks_ms: list[float] = []
    finishes_ms: list[float] = []

    async def call_again_and_again() -> None:
        for _ in upcoming:
            asked = time.perf_counter()
            slot = await pick(redis)
            given = time.perf_counter()
            await leases.finish(redis, slot, outcome="ok", latency_ms=CALL_MS)
            finishes_ms.append((time.perf_counter() - given) * 1000)
            picks_ms.append((given - asked) * 1000)
            on_call()

    begun = time.perf_counter()
    await asyncio.gather(*(call_again_and_again() for _ in range(callers)))
    return Timing(
        callers=callers,
        picks_ms=tuple(picks_ms),
        finishes_ms=tuple(finishes_ms),
        picks_per_s=count / (time.perf_counter() - begun),
    )


async def count_cost(redis: CountingLine, count: int) -> Cost:
    """Return what a pick costs, counted by Redis and by the line."""
    await begin(redis, "response_time", instances(weights=WEIGHTS, caps=dict.fromkeys(WEIGHTS, ROOMY)))
    await pick(redis)  # from here on Redis knows the script
    await redis.execute("CONFIG", "RESETSTAT")
    sent = redis.commands
    for _ in range(count):
        await pick(redis)
    commands = redis.commands - sent
    stats = await _info(redis, "stats")
    told = await _info(redis, "commandstats")
    calls = {name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in told.items()}
    # RESETSTAT itself is no longer counted; the question for the figures is one read.
    trips = int(stats["total_reads_processed"]) - 1
    outer = {"evalsha", "eval", "info", "config|resetstat"}
    inner = {name: calls[name] / count for name in sorted(calls) if name not in outer}
    return Cost(
        round_trips=trips / count,
        commands=commands / count,
        script_us=float(told["cmdstat_evalsha"]["usec_per_call"]),
        inner=inner,
    )


async def shares(redis: RedisClient, algorithm: Algorithm, cycles: int) -> Counter[str]:
    """Return where the calls of whole cycles went; a few are under way all the time."""
    await begin(redis, algorithm, instances(weights=WEIGHTS, caps=dict.fromkeys(WEIGHTS, ROOMY)))
    under_way: deque[Slot] = deque()
    went: Counter[str] = Counter()
    for _ in range(cycles * CYCLE):
        if len(under_way) == AT_ONCE:
            await leases.finish(redis, under_way.popleft(), outcome="ok", latency_ms=CALL_MS)
        slot = await pick(redis)
        under_way.append(slot)
        went[slot.name] += 1
    return went


async def burst(lines: Sequence[RedisClient], algorithm: Algorithm, count: int) -> Counter[str]:
    """Return whom a burst over several connections was let in to; "" counts those that found all full."""
    await begin(lines[0], algorithm, instances(weights=dict.fromkeys(CAPS, 1.0), caps=CAPS))
    answers = await asyncio.gather(
        *(leases.pick(lines[number % len(lines)], SERVICE, turn_id=TURN) for number in range(count))
    )
    return Counter(answer.name if isinstance(answer, Slot) else "" for answer in answers)


async def _info(redis: RedisClient, section: str) -> Mapping[str, Any]:
    """Return one section of what Redis says of itself, as the client reads it."""
    said: Mapping[str, Any] = await redis.execute("INFO", section)
    return said
