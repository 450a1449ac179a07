"""Active health checks: every instance in each round, and several results in a row decide."""

from __future__ import annotations

import asyncio
from typing import Final

from dispatcher.messages import CHECK_HEALTH
from dispatcher.pipeline.instance_checks import check_instance
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from workers.celery import app
from workers.control.ticks import tick

ROUND_TIMEOUT_S: Final = 20.0


@app.task(name=CHECK_HEALTH)
@tick(CHECK_HEALTH)
def check_health() -> None:
    """Check every instance of the catalogue at once, and count the results."""
    shared = process_context()
    shared.run(_check_all(shared), timeout_s=ROUND_TIMEOUT_S)


async def _check_all(shared: WorkerContext) -> None:
    configs = shared.catalogue.services.values()
    instances = [instance for config in configs for instance in config.instances]
    rules = shared.catalogue.health
    checks = (check_instance(shared.redis, shared.providers, each, rules=rules) for each in instances)
    for result in await asyncio.gather(*checks, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result  # when all others are done: only Redis is away for all of them
