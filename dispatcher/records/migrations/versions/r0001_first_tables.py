"""All tables as they began."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

OPTIONS: Final[dict[str, Any]] = {
    "sqlite_with_rowid": False,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
DOUBLE: Final = (
    sa.Float(53)
    .with_variant(mysql.DOUBLE(asdecimal=False), "mysql")
    .with_variant(mysql.DOUBLE(asdecimal=False), "mariadb")
)
TIMES: Final = ("first_audio_ms", "transcript_ms", "audio_ready_ms", "reply_ready_ms", "played_ms")
COUNTS: Final = ("sentences", "frames", "gaps")


def upgrade() -> None:
    """Make every table."""
    _turns()
    _of_entries("samples", ("kind", 8), ("service", 8), ("name", 64))
    _of_entries("alerts", ("name", 64), ("phase", 16), ("detail", 255))
    _of_entries("decisions", ("event", 64), ("service", 8), ("instance", 64), ("action", 255), ("why", 255))
    _hours()
    _drops()


def downgrade() -> None:
    """Drop every table."""
    for name in ("turns", "samples", "alerts", "decisions", "hours", "drops", "drained"):
        op.drop_table(name)


def _entry() -> tuple[sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("entry_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("entry_seq", sa.Integer(), primary_key=True, autoincrement=False),
    )


def _words(*columns: tuple[str, int]) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(length), nullable=False) for name, length in columns]


def _of_entries(name: str, *words: tuple[str, int]) -> None:
    extra = sa.Column("extra", sa.Text(), nullable=False)
    op.create_table(name, *_entry(), *_words(*words), extra, **OPTIONS)


def _turns() -> None:
    op.create_table(
        "turns",
        *_entry(),
        *_words(("turn", 64), ("device", 64), ("server", 64)),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        *_words(("outcome", 32), ("reason", 255)),
        *(sa.Column(name, DOUBLE) for name in TIMES),
        *(sa.Column(name, sa.Integer()) for name in COUNTS),
        *_words(("asr_instance", 64), ("llm_instance", 64), ("tts_instance", 64)),
        sa.Column("extra", sa.Text(), nullable=False),
        **OPTIONS,
    )
    op.create_index("ix_turns_device", "turns", ["device", "entry_ms"])
    op.create_index("ix_turns_turn", "turns", ["turn"])


def _hours() -> None:
    op.create_table(
        "hours",
        sa.Column("hour_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("service", sa.String(8), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("reading", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        *(sa.Column(name, DOUBLE, nullable=False) for name in ("total", "low", "high")),
        **OPTIONS,
    )


def _drops() -> None:
    without_rowid = {**OPTIONS}
    del without_rowid["sqlite_with_rowid"]
    op.create_table(
        "drops",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        **without_rowid,
    )
    op.create_table(
        "drained",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("life", sa.String(64), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("entry_ms", sa.BigInteger(), nullable=False),
        sa.Column("entry_seq", sa.Integer(), nullable=False),
        **without_rowid,
    )
