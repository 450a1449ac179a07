"""Store of records for a check: reachable, at which version, with how many turns."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.errors import ConfigError, RecordsError, StartError
from dispatcher.ops.records_session import records_session


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsSnapshot:
    """State of the store.

    Attributes:
        where: the URL without its password.
        problem: why nothing is known; empty where all is well.
        version: step that the tables are at, and `newest` the one that this code knows.
    """

    where: str = ""
    problem: str = ""
    version: str | None = None
    newest: str | None = None
    turns: int = 0


def read_records(database: str) -> RecordsSnapshot:
    """Return the state of the store, which is not changed."""
    try:
        with records_session(database) as (store, where):
            from dispatcher.records import migrate, report  # noqa: PLC0415  behind the check for the extra
            from dispatcher.records.engine import transaction  # noqa: PLC0415

            with transaction(store.engine) as connection:
                version = migrate.version(connection)
            tables = report.read_report(store.engine).tables
            turns = next(table.rows for table in tables if table.name == "turns")
            return RecordsSnapshot(where=where, version=version, newest=migrate.newest(), turns=turns)
    except (RecordsError, ConfigError, StartError) as error:
        return RecordsSnapshot(problem=str(error))
