"""The store of records as a check sees it: there, of which version, how many turns."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from dispatcher.errors import ConfigError, RecordsError


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsSeen:
    """What was found.

    Attributes:
        where: the URL without its password.
        trouble: why nothing can be said; empty where all is well.
        version: step that the tables are at, and `newest` the one that this code knows.
    """

    where: str = ""
    trouble: str = ""
    version: str | None = None
    newest: str | None = None
    turns: int = 0


def look_at_records(database: str) -> RecordsSeen:
    """Return how the store is; nothing is made or changed in it."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each of its plugins
    try:
        from dispatcher.records import migrate  # noqa: PLC0415  an extra that may be missing
        from dispatcher.records.address import parse, shown  # noqa: PLC0415
        from dispatcher.records.engine import transaction  # noqa: PLC0415
        from dispatcher.records.report import read_report  # noqa: PLC0415
        from dispatcher.records.store import Store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return RecordsSeen(trouble=f"the packages of the extra `records` are not installed ({error.name})")
    store = None
    try:
        where = shown(parse(database))
        store = Store.at(database)
        with transaction(store.engine) as connection:
            version = migrate.version(connection)
        report = read_report(store.engine)
        turns = next(table.rows for table in report.tables if table.name == "turns")
        return RecordsSeen(where=where, version=version, newest=migrate.newest(), turns=turns)
    except (RecordsError, ConfigError) as error:
        return RecordsSeen(trouble=str(error))
    finally:
        if store is not None:
            store.close()
