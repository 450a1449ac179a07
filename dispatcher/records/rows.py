"""From a record of the stream to a row that every store takes: cut, counted, and never refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, String

from dispatcher.messages import Record
from dispatcher.records.tables import OF_KIND, SAMPLES

# The id of the entry is its time.
OWN_TIME: Final = frozenset({"at_ms", "at_s", "entry_ms", "entry_seq"})
# MariaDB's TEXT takes 65 535 bytes, four for a character at most.
EXTRA_CHARACTERS: Final = 16_000
LARGEST: Final = {"SMALLINT": 2**15 - 1, "INTEGER": 2**31 - 1, "BIGINT": 2**63 - 1}


def row_of(record: Record) -> dict[str, Any]:
    """Return the columns of a record's table; fields without a column go into `extra`.

    A field that does not fit its column is cut (text), or left out (numbers).
    """
    table = OF_KIND[record.kind]
    given = {name: value for name, value in record.fields.items() if name not in OWN_TIME}
    if table is SAMPLES:
        given = {"name": given.pop("instance", ""), **given, "kind": record.kind}
    row: dict[str, Any] = {"entry_ms": record.entry_ms, "entry_seq": record.entry_seq}
    for column in table.columns:
        if column.name not in row and column.name != "extra":
            row[column.name] = fitted(column, given.pop(column.name, None))
    row["extra"] = _packed(given)
    return row


def readings_of(extra: str) -> Mapping[str, float]:
    """Return the finite numbers of a sample by name; words in it are not for statistics."""
    try:
        held = json.loads(extra)
    except ValueError:
        return {}
    return {
        name[:64]: float(value)
        for name, value in held.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }


def fitted(column: Column[Any], value: Any) -> str | float | None:
    """Return a value as its column takes it: text is cut, a number that does not fit is left out."""
    if isinstance(column.type, String):
        return _text("" if value is None else str(value))[: column.type.length]
    missing = None if column.nullable else 0
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return missing
    largest = LARGEST.get(str(column.type).upper())
    if largest is None:
        return float(value)
    return int(value) if abs(value) <= largest else missing


def _packed(fields: Mapping[str, Any]) -> str:
    finite = {
        _text(name): None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in fields.items()
    }
    packed = _text(json.dumps(finite, ensure_ascii=False, separators=(",", ":")))
    return packed if len(packed) <= EXTRA_CHARACTERS else json.dumps({"cut_characters": len(packed)})


def _text(value: str) -> str:
    """Return text that can be written as UTF-8: half a surrogate pair cannot."""
    return value.encode("utf-8", "replace").decode("utf-8")
