"""`dispatcher restore`: an instance gets calls again, or a backup is restored."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin
from dispatcher.routing.instance_report import report_instance

ENDINGS: Final = (".tar.gz", ".tgz")
PARTS: Final = ("files", "records", "state")


@click.command("restore")
@click.argument("name", metavar="INSTANCE|FILE")
@click.option("--force", is_flag=True, help="FILE: also into a deployment that runs.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="FILE: this part; may be given again.")
def restore(name: str, *, force: bool, only: tuple[str, ...]) -> None:
    """End draining and ejection of INSTANCE; its health is counted from nothing.

    One that was out gets its share over ten seconds, not at once.

    FILE is a backup (a name with a slash, or that ends in .tar.gz or .tgz). It is checked whole before
    anything is changed. Records are added where they are missing; dialogues, devices, overrides and files are
    put in the place of those that are there.
    """
    if is_file(name):
        from dispatcher.ops.backup.restore_backup import restore_file  # noqa: PLC0415  it loads much more

        restore_file(Path(name), force=force, only=only, report=click.echo)
        return
    restore_instance(name)


@redis_command
async def restore_instance(redis: RedisClient, name: str) -> None:
    """End draining and ejection of an instance."""
    await admin.restore(redis, name)
    await report_instance(redis, name)


def is_file(name: str) -> bool:
    """Return whether a backup is meant: the name of an instance has neither a slash nor such an ending."""
    return "/" in name or name.endswith(ENDINGS)
