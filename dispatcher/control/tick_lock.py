"""Ticks of the control loop: each is taken once, by one worker, however many beats send it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Final

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import NamedValues, Script

# What is left of the period is how much earlier than its mark the next message may come.
HELD_RATIO: Final = 0.9

_HOLD = Script.load("dispatcher.control", "hold_tick")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One tick that was taken.

    Attributes:
        token: tells this tick from the next one of the same task.
        taken_at_s: by the monotonic clock of this process.
    """

    task: str
    period_s: float
    token: str
    taken_at_s: float


async def take(redis: RedisClient, task: str, *, period_s: float) -> Tick | None:
    """Take the tick of a task; None where it was taken within this period, or is still being worked on.

    Raises:
        StateError: Redis is out of reach.
    """
    token = uuid.uuid4().hex
    held_ms = _milliseconds(period_s)
    if not await redis.execute("SET", keys.tick(task), token, "NX", "PX", held_ms):
        return None
    return Tick(task=task, period_s=period_s, token=token, taken_at_s=time.monotonic())


async def hold(redis: RedisClient, tick: Tick) -> bool:
    """Keep the next ticks away for another period; return whether it was still ours.

    Raises:
        StateError: Redis is out of reach.
    """
    return await _expire(redis, tick, in_ms=_milliseconds(tick.period_s))


async def end(redis: RedisClient, tick: Tick) -> None:
    """Let the next tick be taken as soon as its time has come.

    Raises:
        StateError: Redis is out of reach; the tick ends by itself.
    """
    worked_s = time.monotonic() - tick.taken_at_s
    await _expire(redis, tick, in_ms=max(0, _milliseconds(tick.period_s) - round(worked_s * 1000)))


async def _expire(redis: RedisClient, tick: Tick, *, in_ms: int) -> bool:
    arguments: NamedValues = {"token": tick.token, "in_ms": in_ms}
    return bool(await redis.run(_HOLD, keys={"tick": keys.tick(tick.task)}, arguments=arguments))


def _milliseconds(period_s: float) -> int:
    return max(1, round(HELD_RATIO * period_s * 1000))
