"""Restoring of a backup: its parts, put where this machine's settings say they belong."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dispatcher.errors import BackupError, DispatcherError
from dispatcher.front.admission.token_key import KEY_FILE, agree_anew
from dispatcher.messages import QUEUES
from dispatcher.ops.backup import own_files, redis_rows
from dispatcher.ops.backup.archive import OpenArchive, open_archive
from dispatcher.ops.backup.temporary_broker import temporary_broker
from dispatcher.ops.records_session import records_session
from dispatcher.ops.redis_session import with_redis
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import Settings
from dispatcher.supervisor.resolve_settings import resolve_settings
from dispatcher.telemetry.front_presence import read_fronts

# In this order: the state agrees on the key of tokens that the files bring.
PARTS: Final = ("files", "records", "state")


@contextmanager
def unpacked(file: Path) -> Iterator[OpenArchive]:
    """Unpack an archive beside its file for the length of the block, checked as a whole.

    Raises:
        BackupError: the file is missing, damaged or foreign.
    """
    if not file.is_file():
        raise BackupError(f"FILE: was {file}; expected a backup that is there")
    if not os.access(file.absolute().parent, os.W_OK):
        raise BackupError(f"FILE: was {file}; expected it in a folder that can be written to, to be unpacked")
    with tempfile.TemporaryDirectory(prefix="dispatcher-restore-", dir=file.absolute().parent) as folder:
        yield open_archive(file, Path(folder))


def restore_file(file: Path, *, force: bool, only: Sequence[str], report: Callable[[str], None]) -> None:
    """Restore a backup into this deployment, with a broker for as long where none runs.

    Raises:
        BackupError, StateError: as `restore_backup`.
        StartError: the embedded broker cannot be started.
    """
    settings = resolve_settings()
    with unpacked(file) as archive, temporary_broker(settings, report) as is_started:
        with_redis(
            lambda redis: restore_backup(
                redis, settings, archive, only, force=force or is_started, report=report
            )
        )


async def restore_backup(
    redis: RedisClient,
    settings: Settings,
    archive: OpenArchive,
    parts: Sequence[str],
    *,
    force: bool,
    report: Callable[[str], None],
) -> None:
    """Put parts of a backup back; report a line for each thing that was done.

    Args:
        redis: used for the state alone.
        settings: where files and records belong.
        archive: the backup.
        parts: some of `PARTS`; all when it is empty.
        force: put the state into a deployment that runs.
        report: called with each line.

    Raises:
        BackupError: the parts do not fit, or the deployment runs: nothing was changed. Or a part failed.
        StateError: Redis is out of reach.
    """
    wanted = [part for part in PARTS if not parts or part in parts]
    _require_known_keys(archive)
    if "state" in wanted and not force:
        await _require_stopped(redis)
    if "records" in wanted:
        _require_known_records(archive, settings)
    for part in wanted:
        if part == "state":
            lines: Iterable[str] = await _restore_state(redis, settings, archive)
        else:
            lines = _restore_part(part, archive, settings)
        for line in lines:
            report(f"{part:<8} {line}")


async def _restore_state(redis: RedisClient, settings: Settings, archive: OpenArchive) -> Iterable[str]:
    count = await redis_rows.write_rows(redis, archive.rows(redis_rows.MEMBER))
    lines = [f"{count} keys of dialogues, devices and overrides are back"]
    path = settings.data_dir / KEY_FILE
    if path.exists():
        await agree_anew(redis, path.read_bytes())
        lines.append(f"fronts take the key of tokens in {path} when they start")
    return lines


def _restore_part(part: str, archive: OpenArchive, settings: Settings) -> Iterator[str]:
    try:
        yield from _RESTORE[part](archive, settings)
    except DispatcherError as error:
        raise BackupError(f"{part} could not be restored: {error}") from error


def _restore_files(archive: OpenArchive, settings: Settings) -> Iterator[str]:
    for name, path in own_files.places(settings).items():
        if archive.has(name):
            yield own_files.replace_file(name, path, archive.content(name))


def _restore_records(archive: OpenArchive, settings: Settings) -> Iterator[str]:
    if not archive.manifest.records_version:
        yield "none in the backup"
        return
    with records_session(settings.database, whole_tables=True) as (store, _):
        from dispatcher.ops.backup import record_rows  # noqa: PLC0415  behind the check for the extra

        rows = {table.name: archive.rows(record_rows.member(table)) for table in record_rows.tables()}
        added = record_rows.write_rows(store.engine, rows)
    for name, count in added.items():
        if total := archive.manifest.rows(f"records/{name}.jsonl"):
            yield f"{name}: {count} of {total} rows added, the others were there"


_RESTORE: Final = {"files": _restore_files, "records": _restore_records}


def _require_known_keys(archive: OpenArchive) -> None:
    if not all(redis_rows.is_ours(row) for row in archive.rows(redis_rows.MEMBER)):
        raise BackupError(f"{redis_rows.MEMBER} holds keys that no backup of ours has; nothing was changed")


async def _require_stopped(redis: RedisClient) -> None:
    """Do nothing where no front or worker has shown itself lately."""
    queues = [queue for queue in QUEUES if await redis.execute("EXISTS", keys.served(queue))]
    running = [*await read_fronts(redis), *(f"worker of {queue}" for queue in queues)]
    if running:
        raise BackupError(
            f"the deployment runs ({', '.join(running)}), and its devices would lose what they say "
            "meanwhile: stop fronts and workers first (all of `dispatcher up`: the restore starts the broker "
            "that it needs), or give --force; nothing was changed"
        )


def _require_known_records(archive: OpenArchive, settings: Settings) -> None:
    """Do nothing where the tables here are as new as those of the archive, or it has none."""
    if not archive.manifest.records_version:
        return
    with records_session(settings.database, whole_tables=True) as (store, _):
        from dispatcher.ops.backup import record_rows  # noqa: PLC0415  behind the check for the extra

        store.prepare()
        here = record_rows.version(store.engine)
    if archive.manifest.records_version > here:
        raise BackupError(
            f"the records are of version {archive.manifest.records_version}, this code knows {here}: "
            "upgrade it first; nothing was changed"
        )
