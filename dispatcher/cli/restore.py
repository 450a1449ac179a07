"""`dispatcher restore`: an instance gets calls again, or a backup is restored."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from dispatcher.ops.redis_session import redis_command, with_redis
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
        _restore_file(Path(name), force=force, only=only)
        return
    restore_instance(name)


@redis_command
async def restore_instance(redis: RedisClient, name: str) -> None:
    """End draining and ejection of an instance."""
    await admin.restore(redis, name)
    await report_instance(redis, name)


def _restore_file(file: Path, *, force: bool, only: tuple[str, ...]) -> None:
    from dispatcher.cli.backup import report_broker  # noqa: PLC0415  it loads much more
    from dispatcher.ops.backup.restore_backup import restore_backup, unpacked  # noqa: PLC0415
    from dispatcher.ops.backup.temporary_broker import temporary_broker  # noqa: PLC0415
    from dispatcher.supervisor.resolve_settings import resolve_settings  # noqa: PLC0415

    settings = resolve_settings()
    with unpacked(file) as archive, temporary_broker(settings) as is_started:
        report_broker(is_started=is_started)

        async def act(redis: RedisClient) -> None:
            await restore_backup(redis, settings, archive, only, force=force or is_started, report=click.echo)

        with_redis(act)


def is_file(name: str) -> bool:
    """Return whether a backup is meant: the name of an instance has neither a slash nor such an ending."""
    return "/" in name or name.endswith(ENDINGS)
