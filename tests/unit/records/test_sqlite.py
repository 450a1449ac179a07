"""The store in an SQLite file: made by the migrations, written once, kept small."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from dispatcher.errors import RecordsError
from dispatcher.messages import Record, RecordKind
from dispatcher.records.report import read_report
from dispatcher.records.store import Drained, Store
from tests.support.waiting import WAIT_TIMEOUT_S
from tests.unit.records import checks

T0 = checks.T0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'folder' / 'records.sqlite3'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.at(url)
    yield opened
    opened.close()


def test_the_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    checks.migrations_equal_the_tables(store)


def test_a_store_that_nobody_has_prepared_says_who_does(store: Store) -> None:
    with pytest.raises(RecordsError, match="has no tables yet: a control worker makes them"):
        read_report(store.engine)


def test_many_may_bring_an_empty_store_up_to_date_at_once(url: str) -> None:
    failed: list[RecordsError] = []
    together = threading.Barrier(4)

    def prepare() -> None:
        opened = Store.at(url, statement_timeout_s=int(WAIT_TIMEOUT_S))
        together.wait()
        try:
            opened.prepare()
        except RecordsError as error:
            failed.append(error)
        finally:
            opened.close()

    threads = [threading.Thread(target=prepare) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.fixture
def another(url: str) -> sqlite3.Connection:
    """Write in a file that is not in WAL mode yet: the one case that SQLite itself does not wait for."""
    file = Path(url.removeprefix("sqlite:///"))
    file.parent.mkdir()
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE anything (x)")
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_file_that_another_one_writes_first_is_waited_for(url: str, another: sqlite3.Connection) -> None:
    lets_go = threading.Timer(0.2, another.close)
    lets_go.start()
    opened = Store.at(url, statement_timeout_s=int(WAIT_TIMEOUT_S))
    opened.prepare()
    lets_go.join()
    opened.close()


def test_a_file_that_is_written_for_too_long_is_an_error_of_ours(
    url: str, another: sqlite3.Connection
) -> None:
    opened = Store.at(url, statement_timeout_s=0)
    with pytest.raises(RecordsError, match="database is locked"):
        opened.prepare()
    opened.close()
    another.close()


def test_tables_of_a_later_version_are_refused_in_words(store: Store, url: str) -> None:
    store.prepare()
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    later = Store.at(url)
    with pytest.raises(RecordsError, match="of another version than this code"):
        later.prepare()
    later.close()


def test_a_record_that_comes_twice_is_kept_once(store: Store) -> None:
    checks.twice_is_once(store)


@pytest.mark.parametrize("kind", ["turn", "kpi", "sample", "alert", "decision", "usage"])
def test_every_kind_has_its_table(store: Store, kind: RecordKind) -> None:
    store.keep([Record(entry_ms=T0, entry_seq=0, kind=kind, fields={})], life="a")
    assert store.drained() == Drained(life="a", entry_ms=T0)


def test_old_samples_become_hours_and_late_ones_join_them(store: Store) -> None:
    checks.samples_become_hours(store)


def test_everything_goes_when_its_time_is_over(store: Store) -> None:
    checks.old_rows_go(store)


def test_usage_of_a_day_adds_up_and_is_added_once(store: Store) -> None:
    checks.usage_adds_up_once(store)


def test_devices_are_kept_as_they_stand(store: Store) -> None:
    checks.devices_are_as_they_stand(store)


def test_a_pruned_file_gives_its_space_back(store: Store) -> None:
    checks.fills(store, turns=4_000)
    with store.engine.begin() as connection:
        before = connection.scalar(text("PRAGMA page_count"))
    checks.prune_all(store)
    with store.engine.begin() as connection:
        after = connection.scalar(text("PRAGMA page_count"))
    assert before
    assert after
    assert after < before / 4


def test_a_file_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    folder = tmp_path / "is-a-folder"
    folder.mkdir()
    opened = Store.at(f"sqlite:///{folder}")
    with pytest.raises(RecordsError, match="store of records"):
        opened.prepare()
    opened.close()


@pytest.mark.parametrize("how", ["removed", "folder removed", "another in its place"])
def test_records_go_to_a_new_file_when_theirs_was_removed(store: Store, url: str, how: str) -> None:
    path = Path(url.removeprefix("sqlite:///"))
    record = Record(entry_ms=T0, entry_seq=0, kind="turn", fields={"turn": "before"})
    store.keep([record], life="first")
    if how == "folder removed":
        shutil.rmtree(path.parent)
    else:
        path.unlink()
    if how == "another in its place":
        other = Store.at(url)
        other.prepare()
        other.close()
    store.keep([Record(entry_ms=T0 + 1, entry_seq=0, kind="turn", fields={"turn": "after"})], life="first")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT turn FROM turns").fetchall() == [("after",)]
