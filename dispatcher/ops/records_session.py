"""Session with the store of records for the length of one command; a missing extra is one clear line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dispatcher.errors import StartError

if TYPE_CHECKING:
    from dispatcher.records.store import Store


@contextmanager
def records_session(database: str, *, whole_tables: bool = False) -> Iterator[tuple[Store, str]]:
    """Yield the store of a URL, and its address without the password.

    Args:
        database: the URL.
        whole_tables: a statement may take as long as a whole table does.

    Raises:
        StartError: the packages of the extra `records` are not installed.
        ConfigError: the URL is wrong.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each of its plugins
    try:
        from dispatcher.records.address import parse, shown  # noqa: PLC0415  an extra that may be missing
        from dispatcher.records.engine import LONG_STATEMENT_TIMEOUT_S  # noqa: PLC0415
        from dispatcher.records.store import Store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise StartError(
            f"records need packages that are not installed ({error.name}): pip install '.[records]'"
        ) from error
    timeout = {"statement_timeout_s": LONG_STATEMENT_TIMEOUT_S} if whole_tables else {}
    store = Store.at(database, **timeout)
    try:
        yield store, shown(parse(database))
    finally:
        store.close()
