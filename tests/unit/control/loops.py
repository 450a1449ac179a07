"""The loop of a test in the place of a worker's, and stores and workers that a test can look into."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from dispatcher.control.loop_runner import LoopRunner
from dispatcher.control.rules.evidence import WorkerEvidence
from dispatcher.errors import ActionRefused
from dispatcher.host_metrics.host import HostSample
from dispatcher.redis_client.client import RedisClient

Result = TypeVar("Result")
HOST_SAMPLE: Final = HostSample(
    cpu_ratio=0.5,
    memory_ratio=0.25,
    network_ratio=None,
    network_bytes_per_s=None,
    cores=2.0,
    memory_bytes=10**9,
)


class RunningLoop(LoopRunner):
    """Runs on the loop of the test what a thread beside it asks for."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._loop = asyncio.get_running_loop()
        self.kept: list[asyncio.Task[None]] = []

    @property
    def redis(self) -> RedisClient:
        return self._redis

    def run(self, work: Coroutine[Any, Any, Result], *, timeout_s: float) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        self._loop.call_soon_threadsafe(lambda: self.kept.append(self._loop.create_task(work)))


class Workers:
    """Workers in memory, whose pools move as they are told unless they are stuck."""

    def __init__(self, **pools: int) -> None:
        self.pools = pools
        self.stopped: list[str] = []
        self.sent: list[str] = []
        self.is_stuck = False
        self.refusal = ""

    def read_workers(self) -> tuple[WorkerEvidence, ...]:
        return tuple(
            WorkerEvidence(name=name, queue=name.partition("_")[0], pool=pool)
            for name, pool in self.pools.items()
        )

    def resize_pool(self, worker: str, by: int) -> None:
        if self.refusal:
            raise ActionRefused(f"{worker}: {self.refusal}")
        if not self.is_stuck:
            self.pools[worker] += by

    def stop_worker(self, worker: str) -> None:
        self.stopped.append(worker)

    def send_task(self, task: str) -> None:
        self.sent.append(task)
