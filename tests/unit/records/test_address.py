"""The URL of the store."""

from __future__ import annotations

import pytest

from dispatcher.errors import ConfigError
from dispatcher.records.address import parse, shown


@pytest.mark.parametrize(
    ("written", "driver"),
    [
        ("sqlite:///var/records.sqlite3", "sqlite"),
        ("mysql://u:p@db/x", "mysql+pymysql"),
        ("mysql+pymysql://u:p@db/x", "mysql+pymysql"),
        ("mariadb://u:p@db:3307/x", "mariadb+pymysql"),
        ("mariadb+pymysql:///x?unix_socket=/run/db.sock", "mariadb+pymysql"),
    ],
)
def test_a_url_without_driver_gets_one(written: str, driver: str) -> None:
    url = parse(written)
    assert url.drivername == driver
    assert url.query.get("charset") == (None if driver == "sqlite" else "utf8mb4")


def test_the_password_is_never_shown() -> None:
    assert "hush" not in shown(parse("mysql://u:hush@db/x"))


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://u:hush@db/x",
        "mysql+mysqldb://u:hush@db/x",
        "mysql://u:hush@db",
        "mysql://u:hush@/x",
        "mysql://u:hush@db:port/x",
        "u:hush@db",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_a_wrong_url_is_named_without_its_password(written: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(written)
    (problem,) = caught.value.problems
    assert problem.startswith("DATABASE_URL: was ")
    assert "expected sqlite:///" in problem
    assert "hush" not in problem
