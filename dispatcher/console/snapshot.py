"""Snapshot of all that processes share, read from Redis when a scrape comes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dispatcher.chains import sent_at_s
from dispatcher.control.overrides import OverloadPin, read_overrides
from dispatcher.dialogue_store.phrase_figures import PhraseFigures, read_figures_if_there
from dispatcher.messages import QUEUES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import Overview, read_overview
from dispatcher.telemetry.canaries import CanaryView, read_canaries
from dispatcher.telemetry.front_presence import FrontCounts, read_fronts
from dispatcher.telemetry.kpi_store import KpiSnapshot, read_snapshot
from dispatcher.telemetry.record_stream import StreamState, read_state
from dispatcher.telemetry.speculation_figures import SpeculationFigures, read_figures
from dispatcher.turn_store.worker_heartbeats import WorkerBeat, count_workers, read_live

WORKER_SILENCE_S: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisMemory:
    """Memory of the shared Redis; `limit_bytes` is 0 where it has none."""

    used_bytes: int
    limit_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSnapshot:
    """All of one moment.

    Attributes:
        oldest_age_s: of the message of each queue that waits longest; 0 where none waits, and a queue is left
            out whose oldest message does not say when it was sent, as those of beat.
        workers: processes that show life, by the queue that they consume.
        kpis: None where none were evaluated within the last minute.
        phrases: None where its Redis is unreachable.
        records: None where nothing was ever recorded.
        took_s: how long all of it took to read.
        revision: of the active catalogue; 0 where none is.
        worker_ids: worker processes that show life, with the queues of each.
        pools: tasks that the workers of a queue run at once.
        overload_pin: step of overload that an operator chose; None where the load decides.
    """

    overview: Overview
    canaries: tuple[CanaryView, ...]
    fronts: Mapping[str, FrontCounts]
    workers: Mapping[str, int]
    oldest_age_s: Mapping[str, float]
    kpis: KpiSnapshot | None
    records: StreamState | None
    memory: RedisMemory
    phrases: PhraseFigures | None
    took_s: float
    revision: int = 0
    worker_ids: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)
    overload_pin: OverloadPin | None = None
    speculation: SpeculationFigures = field(default_factory=SpeculationFigures)


async def take_snapshot(redis: RedisClient, cache: RedisClient) -> ConsoleSnapshot:
    """Return what holds now in the shared Redis and in the cache.

    Raises:
        StateError: Redis is out of reach.
    """
    began_at_s = time.monotonic()
    # A pause of a moment on a busy machine is no end.
    live = asyncio.ensure_future(read_live(redis, silence_s=WORKER_SILENCE_S))
    reads: Mapping[str, Awaitable[Any]] = {
        "overview": read_overview(redis),
        "canaries": read_canaries(redis),
        "fronts": read_fronts(redis),
        "workers": count_workers(redis),
        "oldest_age_s": _oldest_ages(redis),
        "kpis": read_snapshot(redis),
        "records": read_state(redis),
        "memory": _memory(redis),
        "phrases": read_figures_if_there(cache),
        "revision": _revision(redis),
        "worker_ids": _worker_ids(live),
        "pools": _pools(redis, live),
        "overload_pin": _overload_pin(redis),
        "speculation": read_figures(redis),
    }
    found = await asyncio.gather(*reads.values())
    return ConsoleSnapshot(**dict(zip(reads, found, strict=True)), took_s=time.monotonic() - began_at_s)


async def _revision(redis: RedisClient) -> int:
    return int(await redis.execute("HGET", keys.CATALOGUE, "revision") or 0)


async def _overload_pin(redis: RedisClient) -> OverloadPin | None:
    return (await read_overrides(redis)).overload_pin


async def _worker_ids(live: Awaitable[list[WorkerBeat]]) -> dict[str, str]:
    return {each.worker: ",".join(each.queues) for each in await live}


async def _pools(redis: RedisClient, live: Awaitable[list[WorkerBeat]]) -> dict[str, int]:
    """Return how many tasks the workers of each queue run at once, as they write every ten seconds."""
    signs = [
        (queue, keys.worker_ready(queue, each.pid, each.host)) for each in await live for queue in each.queues
    ]
    sizes = await asyncio.gather(*(redis.submit(("GET", sign)) for _, sign in signs))
    pools: Counter[str] = Counter()
    for (queue, _), size in zip(signs, sizes, strict=True):
        pools[queue] += int(size or 0)
    return pools


async def _oldest_ages(redis: RedisClient) -> dict[str, float]:
    """Return how long the last message of each list has waited: they are pushed at the other end."""
    looks = (redis.submit(("LINDEX", queue, -1)) for queue in QUEUES)
    (second, micros), *messages = await asyncio.gather(redis.submit(("TIME",)), *looks)
    now_s = int(second) + int(micros) / 1_000_000
    sent = {
        queue: now_s if raw is None else sent_at_s(raw) for queue, raw in zip(QUEUES, messages, strict=True)
    }
    return {queue: max(0.0, now_s - at_s) for queue, at_s in sent.items() if at_s is not None}


async def _memory(redis: RedisClient) -> RedisMemory:
    info = await redis.execute("INFO", "memory")  # redis-py has parsed it
    return RedisMemory(used_bytes=int(info["used_memory"]), limit_bytes=int(info.get("maxmemory", 0)))
