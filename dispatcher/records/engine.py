"""Connections to the store whose every wait is bounded, and its errors as ours."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Table, create_engine, event
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dispatcher.errors import ConfigError, RecordsError
from dispatcher.records.address import shown

FileIdentity: TypeAlias = tuple[int, int]

CONNECT_S: Final = 1
# A hung server costs a drain the ping of its old connection, a new one and its greeting: under 5 s together.
DRAIN_STATEMENT_TIMEOUT_S: Final = 2
LONG_STATEMENT_TIMEOUT_S: Final = 30
RECYCLE_S: Final = 1800
WAL_RETRY_S: Final = 0.01
# In SQLite's words, and as the number of MySQL and MariaDB.
_NO_TABLE: Final = ("no such table", "(1146, ")


def open_engine(url: URL, *, statement_timeout_s: int = DRAIN_STATEMENT_TIMEOUT_S) -> Engine:
    """Return an engine; nothing connects before the first use.

    Args:
        url: from `address.parse`.
        statement_timeout_s: how long one statement, or a lock, may take.

    Raises:
        ConfigError: the folder of an SQLite file cannot be made.
    """
    if url.drivername == "sqlite":
        return _open_sqlite(url, statement_timeout_s)
    return create_engine(
        url,
        pool_size=1,
        max_overflow=1,
        pool_timeout=statement_timeout_s,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_S,
        connect_args={
            "connect_timeout": CONNECT_S,
            "read_timeout": statement_timeout_s,
            "write_timeout": statement_timeout_s,
        },
    )


def _open_sqlite(url: URL, statement_timeout_s: int) -> Engine:
    make_folder(url)
    engine = create_engine(url, connect_args={"timeout": statement_timeout_s})
    event.listen(engine, "connect", partial(_prepare_sqlite, statement_timeout_s=statement_timeout_s))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def make_folder(url: URL) -> None:
    """Make the folder of an SQLite file.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"DATABASE_URL: was {shown(url)}; its folder cannot be made: {error}"]) from error


def identity_of(url: URL) -> FileIdentity | None:
    """Return which file lies where an SQLite URL says; None for a server, and where there is none.

    A connection goes on with a file that was removed, as long as it is open: all that is written is lost.
    """
    if url.drivername != "sqlite":
        return None
    try:
        state = Path(url.database or "").stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _prepare_sqlite(connection: sqlite3.Connection, _: Any, *, statement_timeout_s: int) -> None:
    # Python's own handling of transactions would leave DDL outside; SQLAlchemy's BEGIN takes its place.
    connection.isolation_level = None
    # Before the first table: space of deleted rows can then be given back bit by bit.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _keep_a_log(connection, statement_timeout_s)
    # With WAL a crash of the process loses nothing; one of the machine the last moments, never the file.
    connection.execute("PRAGMA synchronous = NORMAL")


def _keep_a_log(connection: sqlite3.Connection, statement_timeout_s: int) -> None:
    # SQLite fails this switch at once, whatever the timeout, while another opens the same new file.
    deadline = time.monotonic() + statement_timeout_s
    while not _has_a_log(connection, may_fail=time.monotonic() < deadline):
        time.sleep(WAL_RETRY_S)


def _has_a_log(connection: sqlite3.Connection, *, may_fail: bool) -> bool:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if may_fail and error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True


def _begin_sqlite(connection: Connection) -> None:
    # Taking the lock to write at once waits for it; taking it later would fail where another wrote meanwhile.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Open a transaction, committed at the end of the block.

    Raises:
        RecordsError: the store is unreachable, locked or refuses; the text names no password.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise RecordsError(reason_of(error)) from error
    except (sqlite3.Error, OSError) as error:
        raise RecordsError(f"the store of records is out of reach: {error}") from error


def upsert(
    connection: Connection, table: Table, changes: Callable[[Any], Mapping[str, Any]] | None = None
) -> Any:
    """Return the statement that inserts a row, or changes the one that has its key.

    Args:
        connection: of the store; each dialect has its own words for it.
        table: with a primary key.
        changes: takes the columns of the new row, and returns what becomes of the old one; None leaves it as
            it is, where `INSERT IGNORE` would also pass over values that do not fit.
    """
    key = list(table.primary_key.columns)
    if connection.dialect.name != "sqlite":
        row = mysql.insert(table)
        return row.on_duplicate_key_update(changes(row.inserted) if changes else {key[0].name: key[0]})
    new = sqlite.insert(table)
    if changes is None:
        return new.on_conflict_do_nothing()
    return new.on_conflict_do_update(index_elements=key, set_=changes(new.excluded))


def reason_of(error: SQLAlchemyError) -> str:
    """Return the driver's own words: SQLAlchemy's hold the statement with every value."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if any(words in str(cause) for words in _NO_TABLE):
        makers = "a control worker makes them, or `dispatcher records upgrade`"
        return f"the store of records has no tables yet: {makers}"
    return f"the store of records: {' '.join(str(cause).split())[:300]}"
