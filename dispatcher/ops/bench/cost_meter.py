"""Meter of a stack in counts: commands and bytes at its Redis, calls of our own code in its processes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from dispatcher.ops.bench.call_counter import read_counts
from dispatcher.ops.bench.cost_report import TurnCost

# Reads that wait return as often as the clock says; the last ones are of the bench itself.
_LEFT_OUT: Final = frozenset({"XREAD", "BRPOP", "BLMOVE", "BLMPOP", "BLPOP", "CLIENT", "HELLO", "MONITOR"})
# A function belongs to the clock unless a turn calls it so many times as often.
CLOCK_RATIO: Final = 16
_SCRIPTS: Final = frozenset({"EVALSHA", "EVAL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts at one moment.

    Attributes:
        at_s: time of the loop.
        calls: by process, then by function.
    """

    at_s: float
    commands: Counter[str]
    calls: Mapping[str, Counter[str]]
    redis_bytes: Counter[str]


class CostMeter:
    """Counts of a stack so far; the difference of two readings is what a stretch of time cost."""

    def __init__(self, redis: Redis, sockets: Mapping[str, Path]) -> None:
        """Read the counts of processes at these sockets, by name."""
        self._redis = redis
        self._sockets = sockets
        self._commands: Counter[str] = Counter()

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[None]:
        """Count commands for as long as the block lasts."""
        async with self._redis.monitor() as monitor:
            following = asyncio.get_running_loop().create_task(self._follow(monitor))
            try:
                yield
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    async def read(self) -> Counts:
        """Return the counts of this moment."""
        return Counts(
            at_s=asyncio.get_running_loop().time(),
            commands=self._commands.copy(),
            calls={name: Counter(read_counts(path)) for name, path in self._sockets.items()},
            redis_bytes=await self._redis_bytes(),
        )

    async def _follow(self, monitor: Any) -> None:
        async for sent in monitor.listen():
            if sent["client_type"] != "lua":
                self._commands[kind_of(sent["command"])] += 1

    async def _redis_bytes(self) -> Counter[str]:
        """Return the bytes of all connections but those of the bench; older servers do not tell."""
        found: Counter[str] = Counter()
        for client in await self._redis.client_list():
            if "O" not in client["flags"] and not client["cmd"].startswith("client|"):
                found["in"] += int(client.get("tot-net-in", 0))
                found["out"] += int(client.get("tot-net-out", 0))
        return found


def kind_of(command: str) -> str:
    """Return the name of a command and the kind of its key: what stands before the first colon."""
    words = command.split(" ", 4)
    name = words[0].upper()
    key = words[3:4] if name in _SCRIPTS else words[1:2]
    return " ".join([name, *(each.partition(":")[0] for each in key)])


def cost_of(before: Counts, after: Counts, idle: tuple[Counts, Counts]) -> TurnCost:
    """Return what was spent between two readings; what runs by the clock is left out.

    Args:
        before: a turn.
        after: the same turn.
        idle: before and after a stretch in which nobody spoke.
    """
    idle_commands = idle[1].commands - idle[0].commands
    share = (after.at_s - before.at_s) / (idle[1].at_s - idle[0].at_s)
    idle_bytes = idle[1].redis_bytes - idle[0].redis_bytes
    return TurnCost(
        commands={
            kind: count
            for kind, count in (after.commands - before.commands).items()
            if kind not in idle_commands and kind.split(" ")[0] not in _LEFT_OUT
        },
        calls={
            name: _own_calls(calls - before.calls[name], idle[1].calls[name] - idle[0].calls[name])
            for name, calls in after.calls.items()
        },
        redis_bytes={
            way: round(count - idle_bytes[way] * share)
            for way, count in (after.redis_bytes - before.redis_bytes).items()
        },
    )


def _own_calls(spent: Counter[str], idle: Counter[str]) -> int:
    """Return the calls of functions that a turn calls far more often than the clock does."""
    return sum(count for function, count in spent.items() if idle[function] * CLOCK_RATIO < count)
