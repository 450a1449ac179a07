"""`dispatcher backup`: one file with everything that a deployment would miss, written while it runs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click

from dispatcher.errors import BackupError, StartError
from dispatcher.ops.backup import files_part, state_part
from dispatcher.ops.backup.archive import ArchiveWriter, writing
from dispatcher.ops.backup.note import BackupNote, leave_note
from dispatcher.ops.backup.own_broker import with_broker
from dispatcher.ops.redis_session import with_redis
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import Settings
from dispatcher.supervisor.resolve_settings import resolve_settings


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Write over FILE.")
def backup(file: Path, *, force: bool) -> None:
    """Write records, dialogues, devices, knobs, generated keys and the YAML to FILE (a tar.gz).

    The deployment goes on meanwhile. FILE holds keys and dialogues: only its owner can read it.
    """
    if file.exists() and not force:
        raise BackupError(f"{file} is there already; --force writes over it")
    if not os.access(file.absolute().parent, os.W_OK):
        raise BackupError(f"FILE: was {file}; expected a folder that is there and can be written to")
    settings = resolve_settings()
    with tempfile.TemporaryDirectory(prefix="dispatcher-backup-", dir=file.absolute().parent) as spool:
        rows_file = Path(spool) / "keys"
        with with_broker(settings):
            with_redis(lambda line: _spool_state(line, rows_file))
        with writing(file, Path(spool)) as writer:
            for line in _save(writer, settings, rows_file):
                click.echo(line)
    size_bytes = file.stat().st_size
    note = BackupNote(path=str(file.absolute()), at_s=round(time.time(), 3), size_bytes=size_bytes)
    try:
        leave_note(settings.data_dir, note)
    except OSError as error:
        click.echo(
            f"{settings.data_dir} cannot be written to, so `dispatcher check` knows no backup: {error}",
            err=True,
        )
    click.echo(f"{file}: {size_text(size_bytes)}")


def size_text(size_bytes: int) -> str:
    """Return a file's size as it is read: kB below a megabyte."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"


def _save(writer: ArchiveWriter, settings: Settings, rows_file: Path) -> Iterator[str]:
    """Add everything; yield what was added, in words."""
    names = []
    for name, content in files_part.read_files(settings):
        writer.add_bytes(name, content)
        names.append(name.removeprefix("files/"))
    yield f"files    {', '.join(names) or 'none'}"
    count = writer.add_rows(state_part.MEMBER, _lines(rows_file))
    yield f"state    {count} keys of dialogues, devices and knobs"
    yield f"records  {_save_records(writer, settings)}"


def _save_records(writer: ArchiveWriter, settings: Settings) -> str:
    records = import_records()
    store = records.open_store(settings.database)
    try:
        writer.records_version = records.version(store.engine)
        if not writer.records_version:
            return "none yet"
        counts = {
            table.name: writer.add_rows(records.member(table), records.read_rows(store.engine, table))
            for table in records.tables()
        }
    finally:
        store.close()
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "no rows"


def import_records() -> ModuleType:
    """Return the part of the records, whose packages may be missing.

    Raises:
        StartError: they are.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each of its plugins
    try:
        from dispatcher.ops.backup import records_part  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise StartError(
            f"records need packages that are not installed ({error.name}): pip install '.[records]'"
        ) from error
    return records_part


async def _spool_state(redis: RedisClient, path: Path) -> None:
    """Write the rows of Redis to a file: the archive is written by code that waits for nobody."""
    with await asyncio.to_thread(path.open, "w", encoding="utf-8") as file:
        async for row in state_part.read_state(redis):
            file.write(json.dumps(row) + "\n")


def _lines(path: Path) -> Iterator[object]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
