"""Active health checks: every instance is really called, and several results in a row decide."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from dispatcher.catalogue.model import Instance
from dispatcher.contracts import CHECK_HEALTH
from dispatcher.state import fleet
from workers.celery import app
from workers.control.ticks import tick
from workers.runtime import Runtime, runtime

log = structlog.get_logger(__name__)

ROUND_TIMEOUT_S: Final = 20.0


@app.task(name=CHECK_HEALTH)
@tick(CHECK_HEALTH)
def check_health() -> None:
    """Check every instance of the catalogue at once, and count the results."""
    shared = runtime()
    shared.run(_check_all(shared), timeout_s=ROUND_TIMEOUT_S)


async def _check_all(shared: Runtime) -> None:
    configs = shared.catalogue.services.values()
    instances = [instance for config in configs for instance in config.instances]
    await asyncio.gather(*(_check(shared, instance) for instance in instances))


async def _check(shared: Runtime, instance: Instance) -> None:
    reason, reported = await shared.probe(instance)
    rules = shared.catalogue.health
    changed = await fleet.note_check(
        shared.line,
        instance,
        reason=reason,
        rules=rules,
        cpu_ratio=reported.cpu_ratio,
        memory_ratio=reported.memory_ratio,
    )
    if changed:
        log.warning(f"instance {changed}", instance=instance.name, reason=reason)  # noqa: G004  one of two words
