"""Turns, samples, alerts and decisions in SQL. Only the control worker and `dispatcher records` import it.

`tables` and `migrations` are the schema, `engine` the connections; `store` writes records, `devices` the
registry; `retention` deletes, `report` reads.
"""

from __future__ import annotations

from importlib.util import find_spec


def is_installed() -> bool:
    """Return whether the packages of the extra `records` are there, without loading them."""
    return find_spec("sqlalchemy") is not None and find_spec("alembic") is not None
