"""`dispatcher reload`: the YAML put in force in every running process, without a restart."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.catalogue import Catalogue, load_catalogue
from dispatcher.catalogue.changes import describe_changes
from dispatcher.cli.command_options import config_option
from dispatcher.control.added_instances import with_overrides
from dispatcher.control.overrides import read_overrides
from dispatcher.ops.redis_session import prints_answer
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.supervisor.resolve_settings import resolve_settings


@click.command("reload")
@config_option
def reload(config: Path | None) -> None:
    """Check the YAML and put it in force in every running process.

    A file with a mistake is refused with all of its problems, and what was active stays.
    Instances that left get no new call; calls under way on them end in peace.
    """
    _publish(load_catalogue(resolve_settings(config).dispatcher_config))


@prints_answer
async def _publish(redis: RedisClient, catalogue: Catalogue) -> list[str]:
    """Activate the catalogue; return the lines that say what that changes."""
    before = await instance_table.read_active(redis)
    catalogue = with_overrides(catalogue, await read_overrides(redis))
    after = await instance_table.publish(redis, catalogue)
    if before is None:
        return [f"{catalogue.path} is in force, the first one"]
    if before.revision == after.revision:
        return [f"{catalogue.path} says what is active already, as revision {after.revision}"]
    changes = describe_changes(before.catalogue, catalogue)
    return [f"{catalogue.path} is in force as revision {after.revision}", *changes]
