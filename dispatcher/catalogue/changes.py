"""Changes from one catalogue to the next, in words."""

from __future__ import annotations

from collections.abc import Iterator

from dispatcher.catalogue.model import Catalogue, ServiceConfig


def describe_changes(before: Catalogue, after: Catalogue) -> Iterator[str]:
    """Yield the instances that join and leave, and what takes effect after a restart."""
    for service, config in after.services.items():
        yield from _describe_service(before.services[service], config)
    if before.health.interval_s != after.health.interval_s:
        yield f"health checks every {after.health.interval_s:g} s once beat restarts"


def _describe_service(before: ServiceConfig, after: ServiceConfig) -> Iterator[str]:
    old, new = ([each.name for each in config.instances] for config in (before, after))
    for name in new:
        if name not in old:
            yield f"{after.service}: {name} joins"
    for name in old:
        if name not in new:
            yield f"{after.service}: {name} leaves when its calls are over"
    if before.slots != after.slots:
        yield (
            f"{after.service}: {before.slots} slots before, {after.slots} now; "
            "pools follow after a restart or `celery control pool_grow`"
        )
