"""Rows of a backup from the tables of records, and back, in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.errors import BackupError
from dispatcher.messages import Record
from dispatcher.ops.backup import record_rows
from dispatcher.records.store import Store
from dispatcher.records.tables import TURNS


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.at(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    opened.prepare()
    yield opened
    opened.close()


def turn(number: int) -> Record:
    fields = {"turn": f"turn-{number}", "device": "狗", "outcome": "answered", "started_at_ms": number}
    return Record(entry_ms=1_700_000_000_000 + number, entry_seq=0, kind="turn", fields=fields)


def test_every_row_is_read_once_however_small_the_chunks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_rows, "CHUNK", 3)
    store.keep([turn(number) for number in range(7)], life="a-life")
    rows = list(record_rows.read_rows(store.engine, TURNS))
    assert [row["turn"] for row in rows] == [f"turn-{number}" for number in range(7)]
    assert record_rows.version(store.engine)


def test_rows_that_are_there_stay_and_the_missing_are_added(store: Store) -> None:
    store.keep([turn(number) for number in range(3)], life="a-life")
    rows = list(record_rows.read_rows(store.engine, TURNS))
    fresh = {**rows[0], "entry_ms": rows[0]["entry_ms"] + 100, "turn": "another"}
    changed = {**rows[1], "turn": "not written over"}
    added = record_rows.write_rows(store.engine, {"turns": [rows[0], changed, fresh]})
    assert added["turns"] == 1
    names = {row["turn"] for row in record_rows.read_rows(store.engine, TURNS)}
    assert names == {"turn-0", "turn-1", "turn-2", "another"}


def test_a_row_of_a_later_version_writes_nothing_at_all(store: Store) -> None:
    store.keep([turn(0)], life="a-life")
    (row,) = record_rows.read_rows(store.engine, TURNS)
    rows = [{**row, "entry_ms": 1}, {**row, "entry_ms": 2, "colour": "red"}]
    with pytest.raises(BackupError, match=r"records/turns\.jsonl: no such columns here: colour"):
        record_rows.write_rows(store.engine, {"turns": rows})
    assert len(list(record_rows.read_rows(store.engine, TURNS))) == 1


def test_each_table_has_a_member_of_its_own() -> None:
    members = [record_rows.member(table) for table in record_rows.tables()]
    assert len(set(members)) == len(members)
    assert "records/turns.jsonl" in members
