"""`dispatcher reload`: the YAML put in force in every running process, without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from dispatcher.catalogue import Catalogue, ServiceConfig, load_catalogue
from dispatcher.ops.redis_session import with_redis
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.supervisor.resolve_settings import resolve_settings


@click.command("reload")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The YAML file; else DISPATCHER_CONFIG, else what runs here was started with.",
)
def reload(config: Path | None) -> None:
    """Check the YAML and put it in force in every running process.

    A file with a mistake is refused with all of its problems, and what was in force stays.
    Instances that left get no new call; calls under way on them end in peace.
    """
    settings = resolve_settings(config)
    catalogue = load_catalogue(settings.dispatcher_config)

    async def publish(redis: RedisClient) -> list[str]:
        return await _publish(redis, catalogue)

    for told in with_redis(publish):
        click.echo(told)


async def _publish(redis: RedisClient, catalogue: Catalogue) -> list[str]:
    """Put the catalogue in force; return the lines that say what that changes."""
    before = await instance_table.in_force(redis)
    after = await instance_table.publish(redis, catalogue)
    if before is None:
        return [f"{catalogue.path} is in force, the first one"]
    if before.revision == after.revision:
        return [f"{catalogue.path} says what is in force already, as revision {after.revision}"]
    changes = describe_changes(before.catalogue, catalogue)
    return [f"{catalogue.path} is in force as revision {after.revision}", *changes]


def describe_changes(before: Catalogue, after: Catalogue) -> Iterator[str]:
    """Yield who joins and leaves, and what waits for a restart."""
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
