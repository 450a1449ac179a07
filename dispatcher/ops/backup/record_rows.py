"""Rows of a backup from the tables of records, and back in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from sqlalchemy import Table, func, select, tuple_
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from dispatcher.errors import BackupError, RecordsError
from dispatcher.records import migrate
from dispatcher.records.engine import reason_of, transaction, upsert
from dispatcher.records.tables import METADATA

CHUNK: Final = 2_000


def tables() -> list[Table]:
    """Return all tables of records."""
    return list(METADATA.sorted_tables)


def member(table: Table) -> str:
    """Return the name of a table's member in an archive."""
    return f"records/{table.name}.jsonl"


def version(engine: Engine) -> str:
    """Return the step that the tables are at; empty before the first.

    Raises:
        RecordsError: the store is unreachable.
    """
    with transaction(engine) as connection:
        return migrate.version(connection) or ""


def read_rows(engine: Engine, table: Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, oldest first, a chunk in memory at a time.

    Each chunk is a short transaction of its own, so that what is drained meanwhile is not held up. What comes
    behind the last chunk is not in the backup, and what retention deletes before it is read neither.

    Raises:
        RecordsError: the store is unreachable.
    """
    key = list(table.primary_key.columns)
    after: tuple[Any, ...] | None = None
    while True:
        query = select(table).order_by(*key).limit(CHUNK)
        if after is not None:
            query = query.where(tuple_(*key) > tuple_(*after))
        with transaction(engine) as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        yield from rows
        if len(rows) < CHUNK:
            return
        after = tuple(rows[-1][column.name] for column in key)


def write_rows(engine: Engine, rows_of: Mapping[str, Iterable[dict[str, Any]]]) -> dict[str, int]:
    """Add the rows that are missing, all of them or none; return how many were added, by table.

    A row whose key is there stays as it is.

    Raises:
        RecordsError: the store is unreachable, or refuses a row; nothing was written.
        BackupError: a row has a column that the tables do not know; nothing was written.
    """
    added: dict[str, int] = {}
    with transaction(engine) as connection:
        try:
            for table in tables():
                before = _count(connection, table)
                _insert(connection, table, iter(rows_of.get(table.name, ())))
                added[table.name] = _count(connection, table) - before
        except SQLAlchemyError as error:
            raise RecordsError(reason_of(error)) from error
    return added


def _insert(connection: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    known = set(table.columns.keys())
    while chunk := list(islice(rows, CHUNK)):
        foreign = set().union(*(row.keys() for row in chunk)) - known
        if foreign:
            raise BackupError(f"{member(table)}: no such columns here: {', '.join(sorted(foreign))}")
        connection.execute(upsert(connection, table), chunk)


def _count(connection: Connection, table: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)
