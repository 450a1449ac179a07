"""Tick of the control loop: taken once in its period by one worker, however many beats send it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from dispatcher.control import owned_lock
from dispatcher.control.loop_runner import LoopRunner
from dispatcher.control.owned_lock import OwnedLock
from dispatcher.errors import StateError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient

log = structlog.get_logger(__name__)

TICK_TIMEOUT_S: Final = 5.0
# This part of a period passes before the tick of a slow task is held for another one.
HOLD_AFTER_RATIO: Final = 0.5
# What is left of the period is how much earlier than its mark the next message may come.
HELD_RATIO: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One tick that was taken.

    Attributes:
        taken_at_s: by the monotonic clock of this process.
    """

    task: str
    period_s: float
    lock: OwnedLock
    taken_at_s: float


async def take(redis: RedisClient, task: str, *, period_s: float) -> Tick | None:
    """Take the tick of a task; None where it was taken within this period, or is still being worked on.

    Raises:
        StateError: Redis is out of reach.
    """
    lock = await owned_lock.try_acquire(redis, keys.tick(task), ttl_ms=_held_ms(period_s))
    if lock is None:
        return None
    return Tick(task=task, period_s=period_s, lock=lock, taken_at_s=time.monotonic())


async def hold(redis: RedisClient, tick: Tick) -> bool:
    """Keep the next ticks away for another period; return whether it was still ours.

    Raises:
        StateError: Redis is out of reach.
    """
    return await owned_lock.expire(redis, tick.lock, in_ms=_held_ms(tick.period_s))


async def end(redis: RedisClient, tick: Tick) -> None:
    """Let the next tick be taken as soon as its time has come.

    Raises:
        StateError: Redis is out of reach; the tick ends by itself.
    """
    worked_ms = round((time.monotonic() - tick.taken_at_s) * 1000)
    await owned_lock.expire(redis, tick.lock, in_ms=max(0, _held_ms(tick.period_s) - worked_ms))


def _held_ms(period_s: float) -> int:
    return max(1, round(HELD_RATIO * period_s * 1000))


def run_in_tick(loop: LoopRunner, task: str, period_s: float, work: Callable[[], None]) -> None:
    """Run the work of a task within its tick, held while it lasts; where the tick is taken, do nothing."""
    try:
        tick = loop.run(take(loop.redis, task, period_s=period_s), timeout_s=TICK_TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("tick not taken", task=task, reason=str(error))
        return
    if tick is None:
        log.debug("tick dropped", task=task)
        return
    log.debug("tick taken", task=task)
    done = threading.Event()
    loop.keep_running(_keep_held(loop.redis, tick, done))
    try:
        work()
    finally:
        done.set()
        _end_held(loop, tick)


async def _keep_held(redis: RedisClient, tick: Tick, done: threading.Event) -> None:
    """Keep the next tick away from a task that takes longer than its period."""
    while True:
        await asyncio.sleep(HOLD_AFTER_RATIO * tick.period_s)
        if done.is_set():
            return
        try:
            await hold(redis, tick)
        except StateError as error:
            log.warning("tick not held", task=tick.task, reason=str(error))


def _end_held(loop: LoopRunner, tick: Tick) -> None:
    """Let the next tick come where this one was held; one that was not ends by itself."""
    if time.monotonic() - tick.taken_at_s < HOLD_AFTER_RATIO * tick.period_s:
        return
    try:
        loop.run(end(loop.redis, tick), timeout_s=TICK_TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("tick not ended", task=tick.task, reason=str(error))
