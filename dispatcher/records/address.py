"""The URL of the store: checked once, and never shown with its password."""

from __future__ import annotations

from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from dispatcher.errors import ConfigError

EXPECTED: Final = (
    "expected sqlite:///path/to/file, mysql+pymysql://user:password@host/database "
    "or mariadb+pymysql://user:password@host/database"
)
DRIVERS: Final = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mariadb+pymysql": "mariadb+pymysql",
}


def parse(written: str) -> URL:
    """Return the URL with its driver filled in.

    Raises:
        ConfigError: it names no store that is supported; the text hides the password.
    """
    try:
        url = make_url(written)
    except (ArgumentError, ValueError) as error:
        # What cannot be taken apart may hold a password anywhere, so only its beginning is shown.
        scheme = written.partition("://")[0] if "://" in written else "something without ://"
        raise ConfigError([f"DATABASE_URL: was {scheme}://…, which is no URL; {EXPECTED}"]) from error
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigError([f"DATABASE_URL: was {shown(url)}; {EXPECTED}"])
    missing = _missing(url, driver)
    if missing:
        raise ConfigError([f"DATABASE_URL: was {shown(url)}, without {missing}; {EXPECTED}"])
    url = url.set(drivername=driver)
    # Four bytes for a character: a reason may hold any sign.
    return url if driver == "sqlite" else url.update_query_dict({"charset": "utf8mb4"})


def shown(url: URL) -> str:
    """Return the URL as logs and screens may show it."""
    return url.render_as_string(hide_password=True)


def _missing(url: URL, driver: str) -> str:
    if not url.database or url.database == ":memory:":
        return "a file" if driver == "sqlite" else "a database"
    return "" if driver == "sqlite" or url.host or "unix_socket" in url.query else "a host"
