"""`dispatcher backup`: one file with everything that a deployment would miss, written while it runs."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.ops.backup.last_backup import note_backup
from dispatcher.ops.backup.redis_rows import read_rows
from dispatcher.ops.backup.temporary_broker import temporary_broker
from dispatcher.ops.backup.write_backup import require_writable, write_backup
from dispatcher.ops.redis_session import with_redis
from dispatcher.supervisor.resolve_settings import resolve_settings


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Write over FILE.")
def backup(file: Path, *, force: bool) -> None:
    """Write records, dialogues, devices, overrides, generated keys and the YAML to FILE (a tar.gz).

    The deployment goes on meanwhile. FILE holds keys and dialogues: only its owner can read it.
    """
    require_writable(file, force=force)
    settings = resolve_settings()
    with temporary_broker(settings, click.echo):
        rows = with_redis(read_rows)
    write_backup(settings, rows, file, click.echo)
    try:
        size_bytes = note_backup(settings.data_dir, file).size_bytes
    except OSError as error:
        reason = f"{settings.data_dir} cannot be written to, so `dispatcher check` knows no backup: {error}"
        click.echo(reason, err=True)
        size_bytes = file.stat().st_size
    size = f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"
    click.echo(f"{file}: {size}")
