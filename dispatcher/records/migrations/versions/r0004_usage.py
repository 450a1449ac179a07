"""Usage of devices, personas and instances by the day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

KEY = (("day", 10), ("service", 8), ("instance", 64), ("device", 64), ("persona", 64))
AMOUNTS = (
    *("calls", "counted_calls", "prompt_tokens", "cached_tokens", "completion_tokens"),
    *("characters", "seconds", "cost"),
)


def upgrade() -> None:
    """Make the table."""
    double = (
        sa.Float(53)
        .with_variant(mysql.DOUBLE(asdecimal=False), "mysql")
        .with_variant(mysql.DOUBLE(asdecimal=False), "mariadb")
    )
    op.create_table(
        "usage_days",
        *(sa.Column(name, sa.String(length), primary_key=True) for name, length in KEY),
        *(sa.Column(name, double, nullable=False) for name in AMOUNTS),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        # MariaDB keeps a table whose step was broken off before it was noted.
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("usage_days")
