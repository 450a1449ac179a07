"""The size of pools, by Celery's remote control, and proved by what the workers answer afterwards."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Final

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from dispatcher.control.rules.actions import Action, Change
from dispatcher.control.rules.evidence import WorkerEvidence
from dispatcher.errors import ActionRefused, StateError
from dispatcher.pipeline.worker_context import WorkerContext
from workers.celery import app

# An inspection of unknown workers always takes the whole of this.
ANSWER_S: Final = 1.0


def look_at_workers() -> tuple[WorkerEvidence, ...]:
    """Return every worker that answers and serves one queue alone; blocks for about a second.

    Raises:
        StateError: the broker is out of reach.
    """
    try:
        stats: dict[str, Any] = app.control.inspect(timeout=ANSWER_S).stats() or {}
        if not stats:
            return ()
        named = app.control.inspect(destination=list(stats), timeout=ANSWER_S)
        queues: dict[str, Any] = named.active_queues() or {}
    except (OperationalError, RedisError) as error:
        raise StateError(f"the workers cannot be asked: {error}") from error
    return tuple(
        _worker(name, queues[name][0]["name"], said)
        for name, said in sorted(stats.items())
        if len(queues.get(name, ())) == 1
    )


def _worker(name: str, queue: str, said: dict[str, Any]) -> WorkerEvidence:
    kilobytes = said.get("rusage", {}).get("maxrss")
    return WorkerEvidence(
        name=name,
        queue=queue,
        pool=int(said.get("pool", {}).get("max-concurrency", 0)),
        memory_bytes=int(kilobytes) * 1024 if kilobytes else None,
    )


async def resize(_shared: WorkerContext, action: Action) -> None:
    """Grow or shrink the pools of a queue, evenly over its workers."""
    for change in action.changes:
        await asyncio.to_thread(_resize, change)


def _resize(change: Change) -> None:
    workers = [each for each in look_at_workers() if each.queue == change.what]
    if not workers:
        raise ActionRefused(f"no worker of queue {change.what} answers")
    by = _difference(change, now=sum(each.pool for each in workers))
    if not by:
        return
    for worker, share in zip(workers, _shares(by, len(workers)), strict=True):
        _resize_one(worker, share)
    total = sum(each.pool for each in look_at_workers() if each.queue == change.what)
    before = sum(each.pool for each in workers)
    if (total - before) * by <= 0:
        raise ActionRefused(f"the pools of {change.what} did not move: {before} before, {total} after")


def _difference(change: Change, *, now: int) -> int:
    """Return by how much to move: to the wanted size, but never further than the action meant to.

    A worker that was started again has its old size already; one that was added is none of our doing.
    """
    meant = _size(change, change.after) - _size(change, change.before)
    left = _size(change, change.after) - now
    return min(meant, max(0, left)) if meant > 0 else max(meant, min(0, left))


def _size(change: Change, value: float | str | None) -> int:
    if not isinstance(value, (int, float)):
        raise ActionRefused(f"{change.what}: {value!r} is no size of a pool")
    return int(value)


def _shares(by: int, workers: int) -> Sequence[int]:
    """Return how much each worker moves; the first ones move one further where it does not divide."""
    amount, more = divmod(abs(by), workers)
    sign = int(math.copysign(1, by))
    return [sign * (amount + (position < more)) for position in range(workers)]


def _resize_one(worker: WorkerEvidence, by: int) -> None:
    if not by:
        return
    move = app.control.pool_grow if by > 0 else app.control.pool_shrink
    answers = move(abs(by), destination=[worker.name], reply=True, timeout=ANSWER_S) or []
    refused = [said["error"] for each in answers for said in each.values() if "error" in said]
    if refused:
        raise ActionRefused(f"{worker.name}: {refused[0]}")
