"""Totals of a stack during a soak, beside its memory: what leaks first where something is not let go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.telemetry.front_presence import read_fronts


async def read_totals(redis: RedisClient, pids: Iterable[int], data_dir: Path | None) -> dict[str, float]:
    """Return the totals by the names of `GROWTH_LIMITS_PER_H`.

    Args:
        redis: of the stack.
        pids: its processes on this host.
        data_dir: where it writes; None where that is not on this host.

    Raises:
        StateError: Redis is out of reach.
    """
    streams = [
        keys.RECORDS,
        keys.DECISIONS,
        *(keys.reply_stream(front) for front in await read_fronts(redis)),
    ]
    counted = await asyncio.gather(
        redis.submit(("DBSIZE",)), *(redis.submit(("XLEN", stream)) for stream in streams)
    )
    totals = {"keys": float(counted[0]), "stream entries": float(sum(counted[1:]))}
    return totals | await asyncio.to_thread(_of_processes, tuple(pids), data_dir)


def _of_processes(pids: tuple[int, ...], data_dir: Path | None) -> dict[str, float]:
    found = {"descriptors": 0.0, "threads": 0.0}
    for pid in pids:
        with suppress(psutil.Error):  # it has ended
            process = psutil.Process(pid)
            found["descriptors"] += process.num_fds()
            found["threads"] += process.num_threads()
    if data_dir is not None:
        found["files MB"] = sum(_size(path) for path in data_dir.rglob("*")) / 1e6
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # it was rotated away
        return 0
