"""`dispatcher restore FILE`: what a backup holds, put where this machine's settings say it belongs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click

from dispatcher.errors import BackupError, DispatcherError
from dispatcher.front.admission.token_key import KEY_FILE, agree_anew
from dispatcher.messages import QUEUES
from dispatcher.ops.backup import files_part, state_part
from dispatcher.ops.backup.archive import Opened, open_archive
from dispatcher.ops.backup.own_broker import with_broker
from dispatcher.ops.backup.save import import_records
from dispatcher.ops.redis_session import with_redis
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import Settings
from dispatcher.supervisor.resolve_settings import resolve_settings
from dispatcher.telemetry.front_presence import read_fronts

PARTS: Final = ("files", "records", "state")


def restore_backup(file: Path, *, force: bool, only: tuple[str, ...]) -> None:
    """Check a backup whole, then put its parts back; each line printed says what was done.

    Args:
        file: the archive.
        force: put the state into a deployment that runs.
        only: some of `PARTS`; all when it is empty.

    Raises:
        BackupError: the file is damaged or foreign, or the deployment runs: nothing was changed. Or a part
            failed: the text says which, and the lines before say what is back.
    """
    if not file.is_file():
        raise BackupError(f"FILE: was {file}; expected a backup that is there")
    if not os.access(file.absolute().parent, os.W_OK):
        raise BackupError(f"FILE: was {file}; expected it in a folder that can be written to, to be unpacked")
    settings = resolve_settings()
    wanted = [part for part in PARTS if not only or part in only]
    with tempfile.TemporaryDirectory(prefix="dispatcher-restore-", dir=file.absolute().parent) as folder:
        opened = open_archive(file, Path(folder))
        with with_broker(settings) as is_stopped:
            _require_fitting(opened, settings, wanted, force=force or is_stopped)
            _put_back(opened, settings, wanted)


def _put_back(opened: Opened, settings: Settings, wanted: list[str]) -> None:
    steps: dict[str, Callable[[], Iterator[str]]] = {
        "files": lambda: _files(opened, settings),
        "records": lambda: _records(opened, settings),
        "state": lambda: _state(opened, settings),
    }
    for part in wanted:
        try:
            for line in steps[part]():
                click.echo(f"{part:<8} {line}")
        except DispatcherError as error:
            raise BackupError(f"{part} could not be restored: {error}") from error


def _require_fitting(opened: Opened, settings: Settings, wanted: list[str], *, force: bool) -> None:
    """Do nothing where all wanted parts can be put back, as far as that can be known.

    Raises:
        BackupError: they cannot; nothing was changed.
    """
    if not all(state_part.is_ours(row) for row in opened.rows(state_part.MEMBER)):
        raise BackupError(f"{state_part.MEMBER} holds keys that no backup of ours has; nothing was changed")
    if "state" in wanted and not force and (running := with_redis(_who_runs)):
        raise BackupError(
            f"the deployment runs ({running}), and its devices would lose what they say meanwhile: stop "
            "fronts and workers first (all of `dispatcher up`: the restore starts the broker that it needs), "
            "or give --force; nothing was changed"
        )
    if "records" in wanted and opened.manifest.records_version:
        records = import_records()
        store = records.open_store(settings.database)
        try:
            store.prepare()
            here = records.version(store.engine)
        finally:
            store.close()
        if opened.manifest.records_version > here:
            raise BackupError(
                f"the records are of version {opened.manifest.records_version}, this code knows {here}: "
                "upgrade it first; nothing was changed"
            )


async def _who_runs(redis: RedisClient) -> str:
    """Return which parts of the deployment have been heard of lately; empty where none was."""
    fronts = list(await read_fronts(redis))
    served = [queue for queue in QUEUES if await redis.execute("EXISTS", keys.served(queue))]
    return ", ".join([*fronts, *(f"worker of {queue}" for queue in served)])


def _files(opened: Opened, settings: Settings) -> Iterator[str]:
    for name, path in files_part.places(settings).items():
        if opened.has(name):
            yield files_part.put_file(name, path, opened.content(name))


def _records(opened: Opened, settings: Settings) -> Iterator[str]:
    if not opened.manifest.records_version:
        yield "none in the backup"
        return
    records = import_records()
    store = records.open_store(settings.database)
    try:
        rows = {table.name: opened.rows(records.member(table)) for table in records.tables()}
        added = records.write_rows(store.engine, rows)
    finally:
        store.close()
    for table in records.tables():
        total = opened.manifest.rows(records.member(table))
        if total:
            yield f"{table.name}: {added[table.name]} of {total} rows added, the others were there"


def _state(opened: Opened, settings: Settings) -> Iterator[str]:
    count = with_redis(lambda line: state_part.write_state(line, opened.rows(state_part.MEMBER)))
    yield f"{count} keys of dialogues, devices and knobs are back"
    path = settings.data_dir / KEY_FILE
    if path.exists():
        with_redis(lambda line: agree_anew(line, path.read_bytes()))
        yield f"fronts take the key of tokens in {path} when they start"
