"""Workers that `dispatcher check` finds: those of every host, also where each is process 1 of a container."""

from __future__ import annotations

from dispatcher.messages import CONTROL_QUEUE
from dispatcher.ops.checks.deployment_snapshot import WorkerSnapshot, _workers
from dispatcher.redis_client.client import RedisClient


async def test_check_finds_the_workers_of_all_containers(redis: RedisClient) -> None:
    for queue, host in (("llm", "3f1d"), ("llm", "77ab"), (CONTROL_QUEUE, "9c0e")):
        await redis.execute("SET", f"worker:{queue}:{host}:1", 8)

    assert await _workers(redis) == (
        WorkerSnapshot(queue=CONTROL_QUEUE, process="9c0e:1", slots=8),
        WorkerSnapshot(queue="llm", process="3f1d:1", slots=8),
        WorkerSnapshot(queue="llm", process="77ab:1", slots=8),
    )
