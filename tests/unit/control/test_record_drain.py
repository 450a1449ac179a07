"""The drain of records from the stream to SQL: each once, losses counted, an unreachable store left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dispatcher.control import owned_lock
from dispatcher.control.record_drain import FIRST_PAUSE_S, RecordDrain
from dispatcher.errors import RecordsError
from dispatcher.messages import Record
from dispatcher.records.report import StoreReport, read_report, read_turns
from dispatcher.records.store import Store
from dispatcher.records.usage import read_totals
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing.call_usage import SEPARATOR
from dispatcher.telemetry import record_stream, usage_counters
from dispatcher.telemetry.usage_counters import COUNTERS_PER_ENTRY
from tests.unit.control.loops import RunningLoop


class ShakyStore(Store):
    """A store that a test takes away."""

    is_away = False

    def keep(self, records: Sequence[Record], *, life: str) -> None:
        if self.is_away:
            raise RecordsError("the store is unreachable")
        super().keep(records, life=life)


@pytest.fixture
def store(tmp_path: Path) -> ShakyStore:
    store = ShakyStore.at(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    assert isinstance(store, ShakyStore)
    return store


def add_turns(redis: RedisClient, *names: str) -> None:
    for name in names:
        record_stream.add(redis, "turn", {"turn": name, "device": "aa"})


def kept(store: Store) -> list[str]:
    return [row["turn"] for row in read_turns(store.engine, last=100)]


async def times_of(redis: RedisClient, command: str) -> int:
    """Return how often the server has run a command."""
    info = await redis.execute("INFO", "commandstats")
    return int(info.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def report(store: Store) -> StoreReport:
    return read_report(store.engine)


async def test_records_are_kept_once_and_leave_the_stream(redis: RedisClient, store: ShakyStore) -> None:
    drain = RecordDrain(RunningLoop(redis), store)
    add_turns(redis, "t1", "t2")
    assert await asyncio.to_thread(drain.run_once) == 2
    assert await asyncio.to_thread(drain.run_once) == 0
    assert kept(store) == ["t1", "t2"]
    assert await redis.execute("XLEN", keys.RECORDS) == 0


async def test_usage_is_taken_with_the_records_and_added_once(redis: RedisClient, store: ShakyStore) -> None:
    drain = RecordDrain(RunningLoop(redis), store)
    counter = SEPARATOR.join(("2026-11-30", "llm", "llm-1", "狗", "kids"))
    await redis.execute("HSET", keys.USAGE, f"{counter}{SEPARATOR}calls", 3, "not a counter", "x")
    # At once: a drain of an older version, which knows no usage, may be the next one.
    assert await asyncio.to_thread(drain.run_once) == 1
    assert await redis.execute("EXISTS", keys.USAGE) == 0
    assert await redis.execute("XLEN", keys.RECORDS) == 0
    await redis.execute("HSET", keys.USAGE, f"{counter}{SEPARATOR}calls", 1)
    for _ in range(3):
        await asyncio.to_thread(drain.run_once)
    (total,) = read_totals(store.engine, by="persona", since_day="2026-11-30")
    assert (total.name, total.calls) == ("kids", 4)


async def test_many_counters_are_several_records(redis: RedisClient) -> None:
    many = [f"2026-11-30{SEPARATOR * 5}calls{number}" for number in range(COUNTERS_PER_ENTRY + 1)]
    await redis.execute("HSET", keys.USAGE, *(word for name in many for word in (name, 1)))
    assert await usage_counters.move_to_stream(redis) == COUNTERS_PER_ENTRY + 1
    assert await redis.execute("XLEN", keys.RECORDS) == 2
    assert await usage_counters.move_to_stream(redis) == 0


def test_a_record_of_usage_that_is_none_adds_nothing() -> None:
    name = SEPARATOR.join(("2026-11-30", "llm", "llm-1", "", "", "calls"))
    assert usage_counters.amounts_in({}) == {}
    assert usage_counters.amounts_in({"counters": {name: "many", "a": "1", f"{name}ed": "1"}}) == {}
    (amounts,) = usage_counters.amounts_in({"counters": {name: "2"}}).values()
    assert amounts == {"calls": 2}


async def test_beside_another_drain_this_one_does_nothing(redis: RedisClient, store: ShakyStore) -> None:
    drain = RecordDrain(RunningLoop(redis), store)
    add_turns(redis, "t1")
    other = await owned_lock.try_acquire(redis, keys.RECORDS_DRAINER, ttl_ms=60_000)
    assert other is not None
    assert await asyncio.to_thread(drain.run_once) == 0
    await owned_lock.release(redis, other)
    assert await asyncio.to_thread(drain.run_once) == 1


async def test_a_store_that_is_away_is_left_alone_for_longer_each_time(
    redis: RedisClient, store: ShakyStore
) -> None:
    now_s = [100.0]
    drain = RecordDrain(RunningLoop(redis), store, clock=lambda: now_s[0])
    add_turns(redis, "t1")
    store.is_away = True
    assert await asyncio.to_thread(drain.run_once) == 0
    store.is_away = False
    assert await asyncio.to_thread(drain.run_once) == 0  # it is not asked yet
    now_s[0] += FIRST_PAUSE_S
    assert await asyncio.to_thread(drain.run_once) == 1
    assert kept(store) == ["t1"]


async def test_what_cannot_be_read_is_counted_and_does_not_hold_up_the_rest(
    redis: RedisClient, store: ShakyStore
) -> None:
    await redis.execute("XADD", keys.RECORDS, "*", "kind", "turn", "fields", "no JSON")
    add_turns(redis, "t1")
    drain = RecordDrain(RunningLoop(redis), store)
    assert await asyncio.to_thread(drain.run_once) == 1
    assert report(store).dropped == {"not readable": 1}


async def test_what_only_a_newer_version_knows_waits_for_it(
    redis: RedisClient, store: ShakyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = RecordDrain(RunningLoop(redis), store)
    await redis.execute("XADD", keys.RECORDS, "*", "kind", "later", "fields", "{}", "more", "x")
    add_turns(redis, "t1")
    with monkeypatch.context() as older:
        older.setattr(record_stream, "KINDS", ("kpi",))
        with capture_logs() as logged:
            assert await asyncio.to_thread(drain.run_once) == 0
            assert await asyncio.to_thread(drain.run_once) == 0
    assert [each["entries"] for each in logged] == [2]
    assert await redis.execute("XLEN", keys.RECORDS_UNKNOWN) == 2
    # A newer one takes what it knows, and leaves the rest for one that is newer still.
    assert await asyncio.to_thread(drain.run_once) == 1
    assert kept(store) == ["t1"]
    ((_, left),) = await redis.execute("XRANGE", keys.RECORDS_UNKNOWN, "-", "+")
    assert as_text(left) == {"kind": "later", "fields": "{}", "more": "x"}
    assert report(store).dropped == {}


async def test_what_is_laid_aside_is_read_once_for_the_same_kinds(
    redis: RedisClient, store: ShakyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = RecordDrain(RunningLoop(redis), store)
    await redis.execute("XADD", keys.RECORDS, "*", "kind", "later", "fields", "{}")
    await asyncio.to_thread(drain.run_once)
    reads = await times_of(redis, "xrange")
    await asyncio.to_thread(drain.run_once)
    assert await times_of(redis, "xrange") == reads
    # What an older version lays aside afterwards is found.
    add_turns(redis, "t1")
    with monkeypatch.context() as older:
        older.setattr(record_stream, "KINDS", ("kpi",))
        await asyncio.to_thread(drain.run_once)
    assert await asyncio.to_thread(drain.run_once) == 1
    assert kept(store) == ["t1"]


async def test_what_the_bound_of_the_stream_cost_is_recorded_once(
    redis: RedisClient, store: ShakyStore
) -> None:
    drain = RecordDrain(RunningLoop(redis), store)
    await record_stream.open_stream(redis, "a life")
    add_turns(redis, *(f"t{number}" for number in range(5)))
    await redis.execute("XTRIM", keys.RECORDS, "MAXLEN", 2)
    assert await asyncio.to_thread(drain.run_once) == 2
    await asyncio.to_thread(drain.run_once)
    assert report(store).dropped == {"the stream was full": 3}


async def test_what_a_lost_broker_held_is_recorded_as_lost(redis: RedisClient, store: ShakyStore) -> None:
    drain = RecordDrain(RunningLoop(redis), store)
    add_turns(redis, "t1", "t2", "t3")
    store.is_away = True
    await asyncio.to_thread(drain.run_once)
    store.is_away = False
    await redis.execute("DEL", keys.RECORDS, keys.RECORDS_DRAINED)
    drain._not_before_s = 0.0
    await asyncio.to_thread(drain.run_once)
    assert report(store).dropped == {"lost with the broker": 3}
