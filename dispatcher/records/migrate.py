"""Bring the tables to the version of this code; several processes may try at once, one does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from dispatcher.errors import RecordsError
from dispatcher.records.engine import transaction

LOCK_WAIT_S: Final = 1


def upgrade(engine: Engine) -> None:
    """Run the steps that are missing; none are when the tables are of this version.

    Raises:
        RecordsError: the store is unreachable, another process migrates it, or its tables are newer.
    """
    config = _config()
    try:
        with transaction(engine) as connection, _alone(connection):
            if version(connection) != newest():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    except CommandError as error:
        raise RecordsError(f"the tables of records are of another version than this code: {error}") from error


def version(connection: Connection) -> str | None:
    """Return the step that the tables are at; None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """Return the latest step that this code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "dispatcher.records:migrations")
    return config


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep other processes out: SQLite's transaction does already, MariaDB's DDL ends every transaction."""
    if connection.dialect.name == "sqlite":
        yield
        return
    # The name of a lock counts for the whole server, so it holds the database.
    took = text("SELECT GET_LOCK(CONCAT(DATABASE(), '.records'), :wait_s)")
    if not connection.scalar(took, {"wait_s": LOCK_WAIT_S}):
        raise RecordsError("the store of records: another process brings its tables up to date")
    try:
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.records'))"))
