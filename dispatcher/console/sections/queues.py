"""Queues: depth, age of the oldest message, waits, and the processes that consume each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.console.live_feed import FeedSources
from dispatcher.console.snapshot import ConsoleSnapshot
from dispatcher.control.overload_status import overload_of


async def read(sources: FeedSources, snapshot: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return a row for each queue; None is unknown."""
    slot_waits = sources.turns.wait_p95_ms()
    rows = [
        {
            "queue": canary.queue,
            "depth": snapshot.overview.queues.get(canary.queue, 0),
            "oldest_age_s": snapshot.oldest_age_s.get(canary.queue),
            "queue_wait_ms": canary.delay_ms,
            "slot_wait_p95_ms": slot_waits.get(canary.queue),
            "workers": snapshot.workers.get(canary.queue, 0),
            "is_consumed": canary.is_consumed,
            "dropped": snapshot.overview.dropped.get(canary.queue, 0),
        }
        for canary in snapshot.canaries
    ]
    memory = {"used_bytes": snapshot.memory.used_bytes, "limit_bytes": snapshot.memory.limit_bytes}
    backlog = snapshot.records.backlog if snapshot.records else 0
    overload = overload_of(snapshot.fronts, snapshot.overload_pin)
    pin = None if overload.pin is None else {"step": overload.pin.step, "by": overload.pin.by}
    return {
        "queues": rows,
        "redis_memory": memory,
        "records_backlog": backlog,
        "overload": {
            "step": overload.step,
            "line_s": overload.line_s,
            "turned_away": overload.turned_away,
            "pin": pin,
        },
    }
