"""Write records: each once, however often it comes; and keep the count of those that never came."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DataError, IntegrityError

from dispatcher.errors import RecordsError
from dispatcher.messages import Record
from dispatcher.records import migrate, usage
from dispatcher.records.address import parse
from dispatcher.records.engine import (
    DRAIN_STATEMENT_TIMEOUT_S,
    FileIdentity,
    identity_of,
    make_folder,
    open_engine,
    reason_of,
    transaction,
    upsert,
)
from dispatcher.records.rows import row_of
from dispatcher.records.tables import DRAINED, DROPS, OF_KIND

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """Where the drain is, as SQL knows it.

    Attributes:
        life: of which stream; empty before the first.
        dropped: entries of that life that are counted as dropped already.
        entry_ms, entry_seq: the last entry that was kept.
    """

    life: str = ""
    dropped: int = 0
    entry_ms: int = 0
    entry_seq: int = 0


class Store:
    """The store of one process; nothing connects before the first use."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine; the tables are brought up to date with the first write."""
        self.engine = engine
        self._is_current = False
        self._file: FileIdentity | None = None

    @classmethod
    def at(cls, written: str, *, statement_timeout_s: int = DRAIN_STATEMENT_TIMEOUT_S) -> Store:
        """Return the store of a URL.

        Raises:
            ConfigError: the URL is wrong.
        """
        return cls(open_engine(parse(written), statement_timeout_s=statement_timeout_s))

    def prepare(self) -> bool:
        """Bring the tables up to date, once per process, and once more for an SQLite file that was removed.

        Returns:
            Whether the file was removed, or replaced, since the last time: what it held is not here.

        Raises:
            RecordsError: the store is unreachable or of another version.
        """
        is_another = self._is_current and self._file != identity_of(self.engine.url)
        if is_another:
            log.error("records file is gone or another one, it is opened anew", path=self.engine.url.database)
            self._is_current = False
            make_folder(self.engine.url)
            self.engine.dispose()
        if not self._is_current:
            migrate.upgrade(self.engine)
            self._file = identity_of(self.engine.url)
            self._is_current = True
        return is_another

    def keep(self, records: Sequence[Record], *, life: str) -> None:
        """Write records and the place of the last one, all or none of it.

        Raises:
            RecordsError: the store is unreachable; nothing was written.
        """
        self.prepare()
        try:
            self._keep(records, life=life)
        except Refused as error:
            # What the rows let through and the store did not take must not hold up all that follows.
            log.error("record refused by the store", reason=str(error), records=len(records))  # noqa: TRY400
            self._keep_one_by_one(records, life=life)

    def drained(self) -> Drained:
        """Return where the drain is.

        Raises:
            RecordsError: the store is unreachable.
        """
        self.prepare()
        with transaction(self.engine) as connection:
            return read_drained(connection)

    def drop(self, entries: int, reason: str, *, life: str, dropped: int) -> None:
        """Write that entries are lost, and up to which count of the stream's life that is told.

        Raises:
            RecordsError: the store is unreachable.
        """
        self.prepare()
        with transaction(self.engine) as connection:
            if entries:
                at_ms = time.time_ns() // 1_000_000
                connection.execute(insert(DROPS).values(at_ms=at_ms, entries=entries, reason=reason))
            _note(connection, life=life, dropped=dropped)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def _keep(self, records: Sequence[Record], *, life: str) -> None:
        with transaction(self.engine) as connection:
            try:
                usage.add(connection, _new_usage(connection, records, life=life))
                for table in dict.fromkeys(OF_KIND.values()):
                    rows = [row_of(record) for record in records if OF_KIND.get(record.kind) is table]
                    if rows:
                        connection.execute(upsert(connection, table), rows)
            except (DataError, IntegrityError) as error:
                raise Refused(reason_of(error)) from error
            last = records[-1]
            _note(connection, life=life, entry_ms=last.entry_ms, entry_seq=last.entry_seq)

    def _keep_one_by_one(self, records: Sequence[Record], *, life: str) -> None:
        for record in records:
            try:
                self._keep([record], life=life)
            except Refused:
                before = self.drained()
                self.drop(1, "refused by the store", life=before.life, dropped=before.dropped)


class Refused(RecordsError):
    """The store does not take a row; another try would not help."""


def read_drained(connection: Connection) -> Drained:
    """Return the one row that says where the drain is."""
    row = connection.execute(select(DRAINED)).mappings().first()
    if row is None:
        return Drained()
    return Drained(
        life=row["life"], dropped=row["dropped"], entry_ms=row["entry_ms"], entry_seq=row["entry_seq"]
    )


def _new_usage(connection: Connection, records: Sequence[Record], *, life: str) -> list[Record]:
    """Return the records of usage that are not in their rows yet: to add one twice would count it twice."""
    found = [record for record in records if record.kind == "usage"]
    before = read_drained(connection) if found else Drained()
    if before.life != life:
        return found
    last = (before.entry_ms, before.entry_seq)
    return [record for record in found if (record.entry_ms, record.entry_seq) > last]


def _note(connection: Connection, *, life: str, **changed: int) -> None:
    """Change the one row. A new life of the stream starts with nothing dropped."""
    before = read_drained(connection)
    if not before.life:
        connection.execute(insert(DRAINED).values(id=1, life=life, **{**_NOTHING, **changed}))
        return
    fresh = {} if before.life == life else {"dropped": 0}
    connection.execute(update(DRAINED).values(life=life, **{**fresh, **changed}))


_NOTHING = {"dropped": 0, "entry_ms": 0, "entry_seq": 0}
