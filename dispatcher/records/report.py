"""Report of the store for `dispatcher records`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select, text
from sqlalchemy.engine import Connection, Engine

from dispatcher.records.engine import transaction
from dispatcher.records.store import read_drained
from dispatcher.records.tables import DROPS, HOURS, OF_ENTRIES, TURNS


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """One table; the times are Unix ms, None where it is empty."""

    name: str
    rows: int
    oldest_ms: int | None
    newest_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """The whole store.

    Attributes:
        dropped: entries that are lost, by reason, as far as it is written down.
        life, dropped_of_life: of which life of the stream how many drops are among them.
    """

    tables: tuple[TableReport, ...]
    size_bytes: int
    dropped: Mapping[str, int]
    life: str
    dropped_of_life: int


def read_report(engine: Engine) -> StoreReport:
    """Return what is kept.

    Raises:
        RecordsError: the store is unreachable, or has no tables yet.
    """
    with transaction(engine) as connection:
        drops = connection.execute(
            select(DROPS.columns.reason, func.sum(DROPS.columns.entries)).group_by(DROPS.columns.reason)
        )
        drained = read_drained(connection)
        return StoreReport(
            tables=(
                *(_table_report(connection, table, "entry_ms") for table in OF_ENTRIES),
                _table_report(connection, HOURS, "hour_ms"),
            ),
            size_bytes=_size_bytes(connection),
            dropped={reason: int(entries) for reason, entries in drops},
            life=drained.life,
            dropped_of_life=drained.dropped,
        )


def read_turns(engine: Engine, *, last: int, device: str = "") -> Sequence[Mapping[Any, Any]]:
    """Return the latest turns, oldest first.

    Raises:
        RecordsError: the store is unreachable, or has no tables yet.
    """
    columns = TURNS.columns
    newest = select(TURNS).order_by(columns.entry_ms.desc(), columns.entry_seq.desc()).limit(last)
    if device:
        newest = newest.where(columns.device == device)
    with transaction(engine) as connection:
        return [dict(row) for row in connection.execute(newest).mappings()][::-1]


def _table_report(connection: Connection, table: Table, column: str) -> TableReport:
    at = table.columns[column]
    rows, oldest, newest = connection.execute(select(func.count(), func.min(at), func.max(at))).one()
    return TableReport(name=table.name, rows=rows, oldest_ms=oldest, newest_ms=newest)


def _size_bytes(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        database = Path(connection.engine.url.database or "")
        files = (database, database.with_name(f"{database.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())
    size = text(
        "SELECT SUM(data_length + index_length) FROM information_schema.tables"
        " WHERE table_schema = DATABASE()"
    )
    return int(connection.scalar(size) or 0)
