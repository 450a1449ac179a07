"""Writing of a backup: one file with everything that a deployment would miss, made while it runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from dispatcher.errors import BackupError
from dispatcher.ops.backup import own_files, redis_rows
from dispatcher.ops.backup.archive import ArchiveWriter, writing
from dispatcher.ops.records_session import records_session
from dispatcher.settings import Settings


def require_writable(file: Path, *, force: bool) -> None:
    """Do nothing where the file may be written.

    Raises:
        BackupError: it is there, or its folder is not.
    """
    if file.exists() and not force:
        raise BackupError(f"{file} is there already; --force writes over it")
    if not os.access(file.absolute().parent, os.W_OK):
        raise BackupError(f"FILE: was {file}; expected a folder that is there and can be written to")


def write_backup(
    settings: Settings, rows: Iterable[Mapping[str, Any]], file: Path, report: Callable[[str], None]
) -> None:
    """Write everything to a file; report a line for each part.

    Args:
        settings: where files and records are.
        rows: of Redis, as `redis_rows.read_rows` returns them.
        file: the archive.
        report: called with each line.

    Raises:
        BackupError: the file cannot be written.
        RecordsError: the store of records is unreachable.
    """
    folder = file.absolute().parent
    with (
        tempfile.TemporaryDirectory(prefix="dispatcher-backup-", dir=folder) as spool,
        writing(file, Path(spool)) as writer,
    ):
        names = []
        for name, content in own_files.read_files(settings):
            writer.add_bytes(name, content)
            names.append(name.removeprefix("files/"))
        report(f"files    {', '.join(names) or 'none'}")
        count = writer.add_rows(redis_rows.MEMBER, rows)
        report(f"state    {count} keys of dialogues, devices and overrides")
        report(f"records  {_write_records(writer, settings)}")


def _write_records(writer: ArchiveWriter, settings: Settings) -> str:
    with records_session(settings.database, whole_tables=True) as (store, _):
        from dispatcher.ops.backup import record_rows  # noqa: PLC0415  behind the check for the extra

        writer.records_version = record_rows.version(store.engine)
        if not writer.records_version:
            return "none yet"
        counts = {
            table.name: writer.add_rows(record_rows.member(table), record_rows.read_rows(store.engine, table))
            for table in record_rows.tables()
        }
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "no rows"
