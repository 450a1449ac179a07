"""Retention of the records: how long each table is kept, and the upkeep that enforces it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import structlog
from sqlalchemy import Table, delete, func, insert, select, text
from sqlalchemy.engine import Connection, Engine

from dispatcher.errors import RecordsError
from dispatcher.records import devices
from dispatcher.records.engine import LONG_STATEMENT_TIMEOUT_S, transaction
from dispatcher.records.rows import readings_of
from dispatcher.records.store import Store
from dispatcher.records.tables import ALERTS, DECISIONS, DROPS, HOURS, OF_ENTRIES, SAMPLES, TURNS, USAGE
from dispatcher.routing.rules.usage import day_of

log = structlog.get_logger(__name__)

DAY_MS: Final = 24 * 3600 * 1000
HOUR_MS: Final = 3600 * 1000
# A complaint about an answer comes within weeks; a year of turns would be most of the store.
TURNS_MS: Final = 30 * DAY_MS
# Long enough to look into yesterday evening; after that an hour's mean, least and most say enough.
SAMPLES_MS: Final = 2 * DAY_MS
# A year and a month: the same season can be compared with the last one.
LONG_MS: Final = 400 * DAY_MS
# As long as Redis keeps a memory that nobody uses (redis_client/keys.py).
MEMORIES_MS: Final = 90 * DAY_MS
# Small enough that a drain, which waits for a lock for two seconds, comes between two of them.
CHUNK_ROWS: Final = 5_000

Key: TypeAlias = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One reading over one hour."""

    count: int
    total: float
    low: float
    high: float

    def with_value(self, value: float) -> Hour:
        """Return the hour with one more value."""
        return self.with_hour(Hour(count=1, total=value, low=value, high=value))

    def with_hour(self, other: Hour) -> Hour:
        """Return both together."""
        return replace(
            self,
            count=self.count + other.count,
            total=self.total + other.total,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
        )


def keep_up(database: str) -> None:
    """Prune and optimise the store of a URL; one that is out of reach is tried at the next upkeep."""
    store = Store.at(database, statement_timeout_s=LONG_STATEMENT_TIMEOUT_S)
    try:
        store.prepare()
        gone = prune(store.engine)
        optimise(store.engine)
        log.info("records pruned", **gone)
    except RecordsError as error:
        log.warning("records not pruned", reason=str(error))
    finally:
        store.close()


def prune(engine: Engine, *, now_ms: int | None = None) -> dict[str, int]:
    """Roll old samples up, delete what is too old, and return how many rows went from each table.

    It ends at any point without harm: each step is whole, and the next call goes on.

    Raises:
        RecordsError: the store is unreachable.
    """
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    return {
        "samples": _roll_up(engine, before_ms=(now - SAMPLES_MS) // HOUR_MS * HOUR_MS),
        "turns": _delete_before(engine, TURNS, "entry_ms", now - TURNS_MS),
        "alerts": _delete_before(engine, ALERTS, "entry_ms", now - LONG_MS),
        "decisions": _delete_before(engine, DECISIONS, "entry_ms", now - LONG_MS),
        "hours": _delete_before(engine, HOURS, "hour_ms", now - LONG_MS),
        "drops": _delete_before(engine, DROPS, "at_ms", now - LONG_MS),
        "usage": _delete_before(engine, USAGE, "day", day_of((now - LONG_MS) / 1000, "UTC")),
        "memories": devices.forget_memories(engine, before_ms=now - MEMORIES_MS),
    }


def optimise(engine: Engine, *, thorough: bool = False) -> None:
    """Give free space back and refresh what the planner knows.

    Args:
        engine: of the store, with patience for long statements.
        thorough: also rebuild MariaDB's tables, which holds up writers; on demand only.

    Raises:
        RecordsError: the store is unreachable.
    """
    names = ", ".join(table.name for table in (*OF_ENTRIES, HOURS, DROPS, USAGE))
    if engine.dialect.name == "sqlite":
        _optimise_file(engine)
        return
    with transaction(engine) as connection:
        connection.execute(text(f"{'OPTIMIZE' if thorough else 'ANALYZE'} TABLE {names}")).all()


def _optimise_file(engine: Engine) -> None:
    connection = engine.raw_connection()
    try:
        # As a script: one `execute` takes one step of a statement without columns, which is one page.
        connection.cursor().executescript("PRAGMA incremental_vacuum; PRAGMA optimize")
    except sqlite3.Error as error:
        raise RecordsError(f"the store of records: {error}") from error
    finally:
        connection.close()


def _delete_before(engine: Engine, table: Table, column: str, before: int | str) -> int:
    """Delete what is older, the oldest first, in steps that let others write between them."""
    deleted = 0
    at = table.columns[column]
    while True:
        with transaction(engine) as connection:
            oldest = select(at).where(at < before).order_by(at).limit(CHUNK_ROWS)
            up_to = connection.scalar(select(func.max(oldest.subquery().columns[0])))
            if up_to is None:
                return deleted
            deleted += connection.execute(delete(table).where(at <= up_to)).rowcount


def _roll_up(engine: Engine, *, before_ms: int) -> int:
    """Turn whole hours of samples into rows of `hours`; an hour's rows come as its samples go."""
    gone = 0
    at = SAMPLES.columns.entry_ms
    while True:
        with transaction(engine) as connection:
            first_ms = connection.scalar(select(func.min(at)).where(at < before_ms))
            if first_ms is None:
                return gone
            hour_ms = first_ms // HOUR_MS * HOUR_MS
            within = (at >= hour_ms) & (at < hour_ms + HOUR_MS)
            found = connection.execute(select(SAMPLES).where(within)).mappings()
            _merge(connection, hour_ms, _readings(found))
            gone += connection.execute(delete(SAMPLES).where(within)).rowcount


def _readings(samples: Iterable[Mapping[Any, Any]]) -> Iterator[tuple[Key, float]]:
    for sample in samples:
        for reading, value in readings_of(sample["extra"]).items():
            yield (sample["kind"], sample["service"], sample["name"], reading), value


def _merge(connection: Connection, hour_ms: int, readings: Iterable[tuple[Key, float]]) -> None:
    """Add readings to what is known of an hour: samples that come late find it rolled up already."""
    hours = {**_known(connection, hour_ms)}
    for key, value in readings:
        known = hours.get(key)
        hours[key] = known.with_value(value) if known else Hour(count=1, total=value, low=value, high=value)
    connection.execute(delete(HOURS).where(HOURS.columns.hour_ms == hour_ms))
    if hours:
        connection.execute(insert(HOURS), [_row(hour_ms, key, hour) for key, hour in hours.items()])


def _known(connection: Connection, hour_ms: int) -> Mapping[Key, Hour]:
    rows = connection.execute(select(HOURS).where(HOURS.columns.hour_ms == hour_ms)).mappings()
    return {
        (row["kind"], row["service"], row["name"], row["reading"]): Hour(
            count=row["count"], total=row["total"], low=row["low"], high=row["high"]
        )
        for row in rows
    }


def _row(hour_ms: int, key: Sequence[str], hour: Hour) -> dict[str, Any]:
    kind, service, name, reading = key
    return {
        "hour_ms": hour_ms,
        "kind": kind,
        "service": service,
        "name": name,
        "reading": reading,
        "count": hour.count,
        "total": hour.total,
        "low": hour.low,
        "high": hour.high,
    }
