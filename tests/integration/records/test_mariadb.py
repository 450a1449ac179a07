"""The same store in a real MariaDB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dispatcher.errors import RecordsError
from dispatcher.records.store import Store
from tests.support.mariadb import MariaDB
from tests.unit.records import checks


@pytest.fixture
def store(mariadb: MariaDB) -> Iterator[Store]:
    opened = Store.at(mariadb.make("checks"))
    yield opened
    opened.close()


def test_the_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    checks.migrations_equal_the_tables(store)


def test_a_record_that_comes_twice_is_kept_once(store: Store) -> None:
    checks.twice_is_once(store)


def test_old_samples_become_hours_and_late_ones_join_them(store: Store) -> None:
    checks.samples_become_hours(store)


def test_everything_goes_when_its_time_is_over(store: Store) -> None:
    checks.old_rows_go(store)


def test_usage_of_a_day_adds_up_and_is_added_once(store: Store) -> None:
    checks.usage_adds_up_once(store)


def test_devices_are_kept_as_they_stand(store: Store) -> None:
    checks.devices_are_as_they_stand(store)


def test_a_refused_password_is_told_without_it(mariadb: MariaDB) -> None:
    mariadb.make("checks")
    opened = Store.at(mariadb.url("checks").replace("secret-word", "wrong-word"))
    with pytest.raises(RecordsError, match="Access denied") as caught:
        opened.prepare()
    opened.close()
    assert "wrong-word" not in str(caught.value)
