"""The registry of devices as SQL keeps it: one row for each known device, as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Engine

from dispatcher.records.engine import transaction, upsert
from dispatcher.records.rows import fitted
from dispatcher.records.tables import DEVICES

FIELDS: Final = (
    *("first_seen_ms", "last_seen_ms", "board", "firmware", "accept_language"),
    *("language", "name", "persona", "blocked", "activated", "memory", "client"),
)


def keep(engine: Engine, rows: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Write devices as they stand now; None deletes one.

    Args:
        engine: of a store whose tables are up to date.
        rows: by device id, with all of FIELDS.

    Raises:
        RecordsError: the store is unreachable; nothing was written.
    """
    gone = [device_id for device_id, row in rows.items() if row is None]
    kept = [_row(device_id, row) for device_id, row in rows.items() if row is not None]
    with transaction(engine) as connection:
        if gone:
            connection.execute(delete(DEVICES).where(DEVICES.columns.device.in_(gone)))
        if kept:
            changed = upsert(connection, DEVICES, lambda new: {name: new[name] for name in FIELDS})
            connection.execute(changed, kept)


def read_all(engine: Engine) -> Sequence[Mapping[str, Any]]:
    """Return every device, with its id as `device`.

    Raises:
        RecordsError: the store is unreachable.
    """
    with transaction(engine) as connection:
        return [dict(row) for row in connection.execute(select(DEVICES)).mappings()]


def forget_memories(engine: Engine, *, before_ms: int) -> int:
    """Delete what is remembered of users whose device was not here since; return of how many.

    Raises:
        RecordsError: the store is unreachable.
    """
    columns = DEVICES.columns
    old = (columns.last_seen_ms < before_ms) & (columns.memory != "")
    with transaction(engine) as connection:
        return connection.execute(update(DEVICES).where(old).values(memory="")).rowcount


def _row(device_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with what does not fit its columns cut."""
    return {"device": device_id, **{name: fitted(DEVICES.columns[name], given[name]) for name in FIELDS}}
