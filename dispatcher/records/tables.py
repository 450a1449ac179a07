"""The tables. A change here needs a step in `migrations/versions`; a test compares the two.

An entry of the stream is kept under its own id, so keeping it twice is keeping it once. The first half of
the id is its time, so the primary key also serves every question about time, and old rows lie together.
Times are Unix milliseconds in UTC, the same in every store.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, SmallInteger, String, Table, Text
from sqlalchemy.dialects import mysql

from dispatcher.messages import RecordKind

METADATA: Final = MetaData()
# The same eight bytes in every store; MariaDB would call a plain FLOAT(53) by another name.
DOUBLE: Final = (
    Float(53)
    .with_variant(mysql.DOUBLE(asdecimal=False), "mysql")
    .with_variant(mysql.DOUBLE(asdecimal=False), "mariadb")
)
MYSQL: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def _of_entries(name: str, *columns: Column[str] | Column[int] | Column[float] | Index) -> Table:
    """Return a table with a row for each entry; what has no column of its own goes into `extra` as JSON."""
    return Table(
        name,
        METADATA,
        Column("entry_ms", BigInteger, primary_key=True, autoincrement=False),
        Column("entry_seq", Integer, primary_key=True, autoincrement=False),
        *columns,
        Column("extra", Text, nullable=False),
        sqlite_with_rowid=False,
        **MYSQL,
    )


TURNS: Final = _of_entries(
    "turns",
    Column("turn", String(64), nullable=False),
    Column("device", String(64), nullable=False),
    Column("server", String(64), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("reason", String(255), nullable=False),
    Column("first_audio_ms", DOUBLE),
    Column("transcript_ms", DOUBLE),
    Column("audio_ready_ms", DOUBLE),
    Column("reply_ready_ms", DOUBLE),
    Column("played_ms", DOUBLE),
    Column("sentences", Integer),
    Column("frames", Integer),
    Column("gaps", Integer),
    Column("asr_instance", String(64), nullable=False),
    Column("llm_instance", String(64), nullable=False),
    Column("tts_instance", String(64), nullable=False),
    Index("ix_turns_device", "device", "entry_ms"),
    Index("ix_turns_turn", "turn"),
)
SAMPLES: Final = _of_entries(
    "samples",
    Column("kind", String(8), nullable=False),
    Column("service", String(8), nullable=False),
    Column("name", String(64), nullable=False),
)
ALERTS: Final = _of_entries(
    "alerts",
    Column("name", String(64), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("detail", String(255), nullable=False),
)
DECISIONS: Final = _of_entries(
    "decisions",
    Column("event", String(64), nullable=False),
    Column("service", String(8), nullable=False),
    Column("instance", String(64), nullable=False),
    Column("action", String(255), nullable=False),
    Column("why", String(255), nullable=False),
)
HOURS: Final = Table(
    "hours",
    METADATA,
    Column("hour_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(8), primary_key=True),
    Column("service", String(8), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("reading", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("total", DOUBLE, nullable=False),
    Column("low", DOUBLE, nullable=False),
    Column("high", DOUBLE, nullable=False),
    sqlite_with_rowid=False,
    **MYSQL,
)
DROPS: Final = Table(
    "drops",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("reason", String(64), nullable=False),
    **MYSQL,
)
# One row: which life of the stream the count of dropped entries belongs to, and which entry was kept last.
DRAINED: Final = Table(
    "drained",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("life", String(64), nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("entry_ms", BigInteger, nullable=False),
    Column("entry_seq", Integer, nullable=False),
    **MYSQL,
)
# A row is a device as it stands, not an entry: the registry in Redis comes back from here.
DEVICES: Final = Table(
    "devices",
    METADATA,
    Column("device", String(64), primary_key=True),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("language", String(8), nullable=False),
    Column("name", String(64), nullable=False),
    Column("persona", String(64), nullable=False),
    Column("board", String(64), nullable=False),
    Column("firmware", String(64), nullable=False),
    Column("accept_language", String(200), nullable=False),
    Column("blocked", SmallInteger, nullable=False),
    Column("activated", SmallInteger, nullable=False),
    Column("memory", Text, nullable=False),
    Column("client", String(32), nullable=False, server_default=""),
    **MYSQL,
)
# A row is a sum that grows: records of usage are added to it, each once.
USAGE: Final = Table(
    "usage_days",  # USAGE is a word of MariaDB
    METADATA,
    Column("day", String(10), primary_key=True),
    Column("service", String(8), primary_key=True),
    Column("instance", String(64), primary_key=True),
    Column("device", String(64), primary_key=True),
    Column("persona", String(64), primary_key=True),
    Column("calls", DOUBLE, nullable=False),
    Column("counted_calls", DOUBLE, nullable=False),
    Column("prompt_tokens", DOUBLE, nullable=False),
    Column("cached_tokens", DOUBLE, nullable=False),
    Column("completion_tokens", DOUBLE, nullable=False),
    Column("characters", DOUBLE, nullable=False),
    Column("seconds", DOUBLE, nullable=False),
    Column("cost", DOUBLE, nullable=False),
    sqlite_with_rowid=False,
    **MYSQL,
)
OF_KIND: Final[dict[RecordKind, Table]] = {
    "turn": TURNS,
    "kpi": SAMPLES,
    "sample": SAMPLES,
    "alert": ALERTS,
    "decision": DECISIONS,
}
OF_ENTRIES: Final = (TURNS, SAMPLES, ALERTS, DECISIONS)
