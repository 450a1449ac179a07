"""Store of records for a check: reachable, at which version, with how many turns."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from dispatcher.errors import ConfigError, RecordsError


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
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each of its plugins
    try:
        from dispatcher.records import migrate  # noqa: PLC0415  an extra that may be missing
        from dispatcher.records.address import parse, shown  # noqa: PLC0415
        from dispatcher.records.engine import transaction  # noqa: PLC0415
        from dispatcher.records.report import read_report  # noqa: PLC0415
        from dispatcher.records.store import Store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return RecordsSnapshot(
            problem=f"the packages of the extra `records` are not installed ({error.name})"
        )
    store = None
    try:
        where = shown(parse(database))
        store = Store.at(database)
        with transaction(store.engine) as connection:
            version = migrate.version(connection)
        report = read_report(store.engine)
        turns = next(table.rows for table in report.tables if table.name == "turns")
        return RecordsSnapshot(where=where, version=version, newest=migrate.newest(), turns=turns)
    except (RecordsError, ConfigError) as error:
        return RecordsSnapshot(problem=str(error))
    finally:
        if store is not None:
            store.close()
