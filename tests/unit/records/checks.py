"""What every store must do, whichever it is: run on SQLite here and on MariaDB in the integration tests."""

from __future__ import annotations

import json

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text

from dispatcher.messages import Record
from dispatcher.records import devices, migrate, usage
from dispatcher.records.retention import (
    DAY_MS,
    HOUR_MS,
    LONG_MS,
    SAMPLES_MS,
    TURNS_MS,
    optimise,
    prune,
)
from dispatcher.records.store import Drained, Store
from dispatcher.records.tables import DECISIONS, HOURS, METADATA, SAMPLES, TURNS

T0 = 1_700_000_000_000 // HOUR_MS * HOUR_MS


def migrations_equal_the_tables(store: Store) -> None:
    store.prepare()
    # MariaDB ends a transaction with each table: one that was made in a step that was broken off is there.
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    migrate.upgrade(store.engine)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
    assert not differences, differences


def turn(at_ms: int, number: int) -> Record:
    return Record(
        entry_ms=at_ms, entry_seq=number, kind="turn", fields={"turn": f"t{number}", "device": "狗"}
    )


def sample(at_ms: int, number: int, **readings: float) -> Record:
    fields = {"service": "llm", "instance": "llm-1", "state": "ready", **readings}
    return Record(entry_ms=at_ms, entry_seq=number, kind="sample", fields=fields)


def count(store: Store, table: str) -> int:
    with store.engine.begin() as connection:
        return int(connection.scalar(text(f"SELECT COUNT(*) FROM {table}")) or 0)


def twice_is_once(store: Store) -> None:
    records = [turn(T0, number) for number in range(5)]
    store.keep(records, life="a")
    store.keep([*records, turn(T0 + 1, 0)], life="a")
    assert count(store, "turns") == 6
    assert store.drained() == Drained(life="a", entry_ms=T0 + 1, entry_seq=0)
    store.drop(3, "the stream was full", life="a", dropped=3)
    assert store.drained().dropped == 3
    store.keep([turn(T0 + 2, 0)], life="b")
    assert store.drained() == Drained(life="b", entry_ms=T0 + 2, entry_seq=0, dropped=0)


def samples_become_hours(store: Store) -> None:
    store.keep([sample(T0 + i * 60_000, i, in_flight=i) for i in range(61)], life="a")
    now_ms = T0 + SAMPLES_MS + HOUR_MS + 5
    assert prune(store.engine, now_ms=now_ms)["samples"] == 60
    assert count(store, "samples") == 1
    store.keep([sample(T0 + 1, 999, in_flight=100)], life="a")
    assert prune(store.engine, now_ms=now_ms)["samples"] == 1
    with store.engine.begin() as connection:
        (row,) = connection.execute(select(HOURS)).mappings().all()
    assert (row["hour_ms"], row["name"], row["reading"]) == (T0, "llm-1", "in_flight")
    assert (row["count"], row["total"], row["low"], row["high"]) == (61, sum(range(60)) + 100, 0, 100)


def old_rows_go(store: Store) -> None:
    now_ms = T0
    for age_ms in (0, TURNS_MS - DAY_MS, TURNS_MS + 1, LONG_MS - DAY_MS, LONG_MS + 1):
        decision = Record(entry_ms=now_ms - age_ms, entry_seq=0, kind="decision", fields={"event": "tried"})
        store.keep([turn(now_ms - age_ms, 0), decision], life="a")
    gone = prune(store.engine, now_ms=now_ms)
    assert (gone["turns"], gone["decisions"], gone["alerts"]) == (3, 1, 0)
    with store.engine.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(TURNS)) == 2
        assert connection.scalar(select(func.count()).select_from(DECISIONS)) == 4
        assert connection.scalar(select(func.count()).select_from(SAMPLES)) == 0
    optimise(store.engine)
    optimise(store.engine, thorough=True)


def usage_of(number: int, *, instance: str = "llm-1", device: str = "狗", **amounts: float) -> Record:
    name = f"2026-11-30\x1fllm\x1f{instance}\x1f{device}\x1fkids"
    counters = {f"{name}\x1f{unit}": str(amount) for unit, amount in amounts.items()}
    return Record(entry_ms=T0, entry_seq=number, kind="usage", fields={"counters": counters})


def usage_adds_up_once(store: Store) -> None:
    first = usage_of(1, calls=1, prompt_tokens=812, cost=0.25)
    store.keep([first, usage_of(2, calls=2, prompt_tokens=8, cost=0.5)], life="a")
    # A drain that died before it could take them out reads them again.
    store.keep([first, usage_of(3, calls=1, instance="llm-2")], life="a")
    (one, two) = usage.read_totals(store.engine, by="instance", since_day="2026-11-30")
    assert (one.name, one.calls, one.prompt_tokens, one.cost) == ("llm-1", 3, 820, 0.75)
    assert (two.name, two.calls) == ("llm-2", 1)
    # Another life of the stream begins to number anew.
    store.keep([usage_of(0, calls=1)], life="b")
    (day,) = usage.read_totals(store.engine, by="day", since_day="2026-11-01")
    assert (day.name, day.calls) == ("2026-11-30", 5)
    assert not usage.read_totals(store.engine, by="device", since_day="2026-12-01")
    assert prune(store.engine, now_ms=1_800_000_000_000 + LONG_MS)["usage"] == 2


def fills(store: Store, *, turns: int) -> None:
    words = json.dumps({"words": "x" * 200})
    for start in range(0, turns, 1_000):
        records = [
            Record(entry_ms=T0 + i, entry_seq=0, kind="turn", fields={"turn": f"t{i}", "note": words})
            for i in range(start, start + 1_000)
        ]
        store.keep(records, life="a")


def prune_all(store: Store) -> None:
    prune(store.engine, now_ms=T0 + 2 * LONG_MS)
    optimise(store.engine)


def device_row(**changes: object) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(devices.FIELDS, "")
    return {**row, "first_seen_ms": T0, "last_seen_ms": T0, "blocked": 0, "activated": 1, **changes}


def devices_are_as_they_stand(store: Store) -> None:
    store.prepare()
    devices.keep(store.engine, {"02:aa": device_row(name="厨房"), "02:bb": device_row(name="hall")})
    later = device_row(name="厨房 🍵", last_seen_ms=T0 + 5, memory="likes tea")
    devices.keep(store.engine, {"02:aa": later, "02:bb": None, "02:cc": device_row(persona="x" * 5_000)})
    found = {str(row["device"]): row for row in devices.read_all(store.engine)}
    assert found.keys() == {"02:aa", "02:cc"}
    assert {name: found["02:aa"][name] for name in devices.FIELDS} == later
    assert set(found["02:cc"]["persona"]) == {"x"}
    assert devices.forget_memories(store.engine, before_ms=T0 + 5) == 0
    assert devices.forget_memories(store.engine, before_ms=T0 + 6) == 1
    assert {row["memory"] for row in devices.read_all(store.engine)} == {""}
