"""The store goes away and comes back; the drain dies between its two steps; the stream overflows."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

from redis import Redis

from dispatcher.messages import KEEP_DEVICES, Record
from dispatcher.records.store import Store
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.telemetry import record_stream
from tests.integration.records.conftest import add_turns, ask, backlog, control_worker, send
from tests.support.broker import Broker
from tests.support.instances import Instances
from tests.support.mariadb import MariaDB

COUNT = "SELECT COUNT(*), COUNT(DISTINCT turn) FROM turns"


def test_nothing_is_lost_while_the_store_is_down_and_everything_comes_once(
    tmp_path: Path, fresh_broker: Broker, instances: Instances, mariadb: MariaDB
) -> None:
    url = mariadb.make("outage")
    add_turns(fresh_broker, 10)
    with control_worker(tmp_path, broker=fresh_broker, instances=instances, database_url=url) as worker:
        worker.drains_until(lambda: not backlog(fresh_broker), what="the first ten are drained")
        mariadb.kill()
        add_turns(fresh_broker, 5_000, since=10)
        for _ in range(3):
            send(fresh_broker, KEEP_DEVICES)
        worker.drains_until(lambda: "records wait in the stream" in worker.output(), what="a warning")
        worker.drains_until(lambda: "devices not kept yet" in worker.output(), what="another one")
        assert backlog(fresh_broker) == 5_000
        mariadb.start()
        worker.drains_until(lambda: not backlog(fresh_broker), what="the backlog is drained")
        assert ask(url, COUNT) == [(5_010, 5_010)]
        assert ask(url, "SELECT * FROM drops") == []
        said = worker.output()
        assert [said.count(words) for words in ("records wait", "devices not kept yet")] == [1, 1]
        assert "secret-word" not in worker.output()


def test_the_file_of_the_records_that_is_removed_is_made_anew_and_that_is_said(
    tmp_path: Path, fresh_broker: Broker, instances: Instances
) -> None:
    file = tmp_path / "store" / "records.sqlite3"
    add_turns(fresh_broker, 10)
    url = f"sqlite:///{file}"
    with control_worker(tmp_path, broker=fresh_broker, instances=instances, database_url=url) as worker:
        worker.drains_until(lambda: not backlog(fresh_broker), what="the first ten are drained")
        for each in file.parent.iterdir():
            each.unlink()
        add_turns(fresh_broker, 5, since=10)
        worker.drains_until(lambda: not backlog(fresh_broker), what="the others are drained")
        assert ask(url, COUNT) == [(5, 5)]
        assert "records file is gone or another one" in worker.output(), worker.output()[-3000:]


def test_a_frozen_store_holds_up_nobody_and_the_backlog_comes_after(
    tmp_path: Path, fresh_broker: Broker, instances: Instances, mariadb: MariaDB
) -> None:
    url = mariadb.make("frozen")
    add_turns(fresh_broker, 10)
    with control_worker(tmp_path, broker=fresh_broker, instances=instances, database_url=url) as worker:
        worker.drains_until(lambda: not backlog(fresh_broker), what="the first ten are drained")
        mariadb.send_signal(signal.SIGSTOP)
        try:
            add_turns(fresh_broker, 100, since=10)
            worker.drains_until(lambda: "records wait in the stream" in worker.output(), what="a warning")
        finally:
            mariadb.send_signal(signal.SIGCONT)
        worker.drains_until(lambda: not backlog(fresh_broker), what="the backlog is drained")
    assert ask(url, COUNT) == [(110, 110)]


def test_an_overfull_stream_says_exactly_how_much_it_dropped(
    tmp_path: Path, fresh_broker: Broker, instances: Instances
) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    more = record_stream.RECORDS_MAXLEN + 3_000
    add_turns(fresh_broker, more)
    left = backlog(fresh_broker)
    assert record_stream.RECORDS_MAXLEN <= left < more
    with control_worker(tmp_path, broker=fresh_broker, instances=instances, database_url=url) as worker:
        worker.drains_until(lambda: not backlog(fresh_broker), what="the stream is drained")
        worker.drains_until(lambda: "records dropped" in worker.output(), what="the drops are told")
        assert ask(url, COUNT) == [(left, left)]
        assert ask(url, "SELECT SUM(entries) FROM drops") == [(more - left,)]
        add_turns(fresh_broker, 5, since=more)
        worker.drains_until(lambda: ask(url, COUNT) == [(left + 5, left + 5)], what="five more")
        assert ask(url, "SELECT SUM(entries) FROM drops") == [(more - left,)]


async def read_and_keep(broker: Broker, url: str) -> list[Record]:
    """Do what a drain does until it is killed: read, commit, and never acknowledge."""
    redis = RedisClient(connect(broker.url))
    store = Store.at(url)
    try:
        state = await record_stream.open_stream(redis, "life")
        batch = await record_stream.read(redis, 1_000)
        await asyncio.to_thread(store.keep, batch.records, life=state.life)
        return list(batch.records)
    finally:
        store.close()
        await redis.close()


async def test_a_drain_that_died_between_commit_and_acknowledgement_doubles_no_row(
    tmp_path: Path, fresh_broker: Broker, instances: Instances, mariadb: MariaDB
) -> None:
    url = mariadb.make("killed")
    await asyncio.to_thread(add_turns, fresh_broker, 20)
    assert len(await read_and_keep(fresh_broker, url)) == 20
    assert backlog(fresh_broker) == 20
    # Five of them are trimmed away before the next drain comes: they are kept, so they are not lost.
    with Redis.from_url(fresh_broker.url) as client:
        client.xtrim(keys.RECORDS, maxlen=15, approximate=False)
    await asyncio.to_thread(finish, tmp_path, fresh_broker, instances, url)
    assert ask(url, COUNT) == [(23, 23)]
    assert ask(url, "SELECT * FROM drops") == []
    with Redis.from_url(fresh_broker.url) as client:
        assert client.xpending(keys.RECORDS, record_stream.GROUP)["pending"] == 0


def finish(tmp_path: Path, broker: Broker, instances: Instances, url: str) -> None:
    """Let a real worker drain the rest."""
    with control_worker(tmp_path, broker=broker, instances=instances, database_url=url) as worker:
        add_turns(broker, 3, since=20)
        worker.drains_until(lambda: not backlog(broker), what="the rest is drained")


def test_a_worker_that_is_killed_while_it_drains_doubles_no_row(
    tmp_path: Path, fresh_broker: Broker, instances: Instances, mariadb: MariaDB
) -> None:
    url = mariadb.make("sigkill")
    add_turns(fresh_broker, 4_000)
    with control_worker(tmp_path, broker=fresh_broker, instances=instances, database_url=url) as worker:
        worker.drains_until(lambda: backlog(fresh_broker) < 4_000, what="the drain has begun")
        worker.kill()
        with Redis.from_url(fresh_broker.url) as client:
            client.delete(keys.RECORDS_DRAINER)  # as its time to live would, some seconds later
        worker.start()
        worker.wait_until_ready()
        worker.drains_until(lambda: not backlog(fresh_broker), what="the rest is drained")
    assert ask(url, COUNT) == [(4_000, 4_000)]
    assert ask(url, "SELECT * FROM drops") == []


def test_a_broker_that_lost_its_stream_is_told_of_and_drained_on(
    tmp_path: Path, fresh_broker: Broker, instances: Instances
) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    with control_worker(tmp_path, broker=fresh_broker, instances=instances, database_url=url) as worker:
        add_turns(fresh_broker, 10)
        worker.drains_until(lambda: not backlog(fresh_broker), what="the first ten are drained")
        fresh_broker.kill()
        fresh_broker.start()
        add_turns(fresh_broker, 7, since=10)
        worker.drains_until(lambda: ask(url, COUNT) == [(17, 17)], what="seven more after the restart")
    assert ask(url, "SELECT * FROM drops") == []


def test_what_nobody_can_read_is_counted_and_holds_nothing_up(
    tmp_path: Path, fresh_broker: Broker, instances: Instances
) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"
    with Redis.from_url(fresh_broker.url) as client:
        for fields in ("[]", "{", json.dumps({"turn": "x" * 500, "device": "\ud800", "gaps": 1e300})):
            client.xadd(keys.RECORDS, {"kind": "turn", "fields": fields})
        client.xadd(keys.RECORDS, {"kind": "poem", "fields": "{}"})
        client.xadd(keys.RECORDS, {"other": "1"})
    with control_worker(tmp_path, broker=fresh_broker, instances=instances, database_url=url) as worker:
        worker.drains_until(lambda: not backlog(fresh_broker), what="all are done with")
        with Redis.from_url(fresh_broker.url) as client:
            laid_aside = [fields for _, fields in client.xrange(keys.RECORDS_UNKNOWN)]
    assert ask(url, "SELECT turn, device, gaps FROM turns") == [("x" * 64, "?", None)]
    assert ask(url, "SELECT SUM(entries), MIN(reason) FROM drops") == [(3, "not readable")]
    # A kind that a newer version may know is kept for it.
    assert [fields[b"kind"] for fields in laid_aside] == [b"poem"]
