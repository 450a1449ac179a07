"""What beat sends runs once per tick, whoever else sends the same, and never beside itself."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Final

import structlog
from celery import current_task

from dispatcher.control import tick_lock
from dispatcher.control.tick_lock import Tick
from dispatcher.errors import StateError
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from workers.celery_ext.beat import PERIOD_HEADER

log = structlog.get_logger(__name__)

TAKE_TIMEOUT_S: Final = 5.0
# How much of a period passes before the tick of a slow task is held for another one.
HOLD_AFTER_RATIO: Final = 0.5


def tick(task: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Wrap a control task so that it takes its tick first, or does nothing.

    A task that was not sent by beat, but by hand or by a test, always runs.
    """

    def decorate(work: Callable[[], None]) -> Callable[[], None]:
        @wraps(work)
        def once_per_tick() -> None:
            period_s = _period_s()
            if period_s is None:
                work()
            else:
                _run(task, period_s, work)

        return once_per_tick

    return decorate


def _period_s() -> float | None:
    """Return the period that the message says it is a tick of."""
    headers = current_task.request.headers if current_task else None
    period_s = (headers or {}).get(PERIOD_HEADER)
    return None if period_s is None else float(period_s)


def _run(task: str, period_s: float, work: Callable[[], None]) -> None:
    shared = process_context()
    try:
        taken = shared.run(tick_lock.take(shared.redis, task, period_s=period_s), timeout_s=TAKE_TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("tick not taken", task=task, reason=str(error))
        return
    if taken is None:
        log.debug("tick dropped", task=task)
        return
    log.debug("tick taken", task=task)
    done = threading.Event()
    shared.keep_running(_hold(shared, taken, done))
    try:
        work()
    finally:
        done.set()
        _end(shared, taken)


async def _hold(shared: WorkerContext, taken: Tick, done: threading.Event) -> None:
    """Keep the next tick away from a task that takes longer than its period."""
    while True:
        await asyncio.sleep(HOLD_AFTER_RATIO * taken.period_s)
        if done.is_set():
            return
        try:
            await tick_lock.hold(shared.redis, taken)
        except StateError as error:
            log.warning("tick not held", task=taken.task, reason=str(error))


def _end(shared: WorkerContext, taken: Tick) -> None:
    """Let the next tick come where this one was held; one that was not ends by itself."""
    if time.monotonic() - taken.taken_at_s < HOLD_AFTER_RATIO * taken.period_s:
        return
    try:
        shared.run(tick_lock.end(shared.redis, taken), timeout_s=TAKE_TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("tick not ended", task=taken.task, reason=str(error))
