"""Canaries: whoever takes one shows that its queue is consumed; the one of `control` also looks round."""

from __future__ import annotations

import time
from typing import Final

import structlog

from dispatcher.errors import StateError
from dispatcher.messages import CANARY, CONTROL_QUEUE
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.telemetry import canaries
from workers.celery import app

log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 5.0


@app.task(name=CANARY)
def canary(queue: str, period_s: float, sent_at_s: float) -> None:
    """Note that the queue is consumed, and how long this message waited by the clocks of beat and worker.

    Runs in every worker. Two beats send two of them, which does no harm.
    """
    shared = process_context()
    delay_ms = (time.time() - sent_at_s) * 1000
    try:
        shared.run(_note(shared, queue, delay_ms=delay_ms, period_s=period_s), timeout_s=TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("canary not noted", queue=queue, reason=str(error))


async def _note(shared: WorkerContext, queue: str, *, delay_ms: float, period_s: float) -> None:
    if await canaries.record_canary(shared.redis, queue, delay_ms=delay_ms, period_s=period_s):
        log.warning("queue consumed again", queue=queue, delay_ms=round(delay_ms))
    if queue != CONTROL_QUEUE:
        return
    for lost in await canaries.mark_lost_queues(shared.redis, period_s=period_s):
        log.warning("queue not consumed", queue=lost, for_s=canaries.LOST_AFTER_PERIODS * period_s)
