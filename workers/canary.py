"""Canary of every queue: a task that shows that the queue is consumed."""

from __future__ import annotations

import time
from typing import Final

import structlog

from dispatcher.errors import StateError
from dispatcher.messages import CANARY
from dispatcher.pipeline.worker_context import process_context
from dispatcher.telemetry import canaries
from workers.celery import app

log = structlog.get_logger(__name__)

CANARY_TIMEOUT_S: Final = 5.0


@app.task(name=CANARY, is_on_loop=True)
def canary(queue: str, period_s: float, sent_at_s: float) -> None:
    """Show that the queue is consumed, in every worker; two beats send two of them, which does no harm."""
    context = process_context()
    delay_ms = (time.time() - sent_at_s) * 1000
    work = canaries.receive(context.redis, queue, delay_ms=delay_ms, period_s=period_s)
    try:
        context.run(work, timeout_s=CANARY_TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("canary not recorded", reason=str(error))
