"""The registry of devices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WORDS = (("language", 8), ("name", 64), ("persona", 64), ("board", 64), ("firmware", 64))


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "devices",
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(length), nullable=False) for name, length in WORDS),
        sa.Column("accept_language", sa.String(200), nullable=False),
        sa.Column("blocked", sa.SmallInteger(), nullable=False),
        sa.Column("activated", sa.SmallInteger(), nullable=False),
        sa.Column("memory", sa.Text(), nullable=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        # MariaDB keeps a table whose step was broken off before it was noted.
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("devices")
