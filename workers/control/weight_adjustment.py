"""Weights follow performance: once a minute every instance is compared with those of its kind."""

from __future__ import annotations

import time
from typing import Final

import structlog

from dispatcher.errors import StateError
from dispatcher.messages import ADJUST_WEIGHTS, SERVICES, Service
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.routing import adjustments
from dispatcher.routing.rules.weights import Adjustment
from dispatcher.telemetry import record_stream
from workers.celery import app
from workers.control.ticks import tick

log = structlog.get_logger(__name__)

TIMEOUT_S: Final = 10.0


@app.task(name=ADJUST_WEIGHTS)
@tick(ADJUST_WEIGHTS)
def adjust_weights() -> None:
    """Compare the instances of every service, and move the factors of their weights one step."""
    shared = process_context()
    try:
        shared.run(_adjust_all(shared), timeout_s=TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("weights not adjusted", reason=str(error))


async def _adjust_all(shared: WorkerContext) -> None:
    for service in SERVICES:
        for adjustment in await adjustments.adjust(shared.redis, service):
            if adjustment.changed:
                _tell(shared, service, adjustment)


def _tell(shared: WorkerContext, service: Service, adjustment: Adjustment) -> None:
    known = {
        "service": service,
        "instance": adjustment.name,
        "before": adjustment.before,
        "after": adjustment.after,
        "why": adjustment.reason,
    }
    log.info("weight adjusted", **known)
    record_stream.add(shared.redis, "decision", {"at_s": time.time(), "event": "weight adjusted", **known})
