"""How large the store of records becomes: rows as they really look are written and weighed.

`python -m tests.simulation.record_sizes` prints bytes per row with indexes, and what fifty devices and
twenty instances come to after a year of upkeep.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert

from dispatcher.messages import Record, RecordKind
from dispatcher.records.rows import row_of
from dispatcher.records.store import Store
from dispatcher.records.tables import HOURS, OF_KIND

T0_MS: Final = 1_700_000_000_000
BATCH: Final = 5_000
DEVICES: Final = 50
INSTANCES: Final = 20
FIGURES: Final = 8
MINUTES_A_DAY: Final = 1_440
# Rows that upkeep leaves: a day's rows times the days that retention.py keeps.
KEPT: Final = {
    "turns": DEVICES * 200 * 30,
    "samples": (INSTANCES + FIGURES) * MINUTES_A_DAY * 2,
    "hours": (INSTANCES * 9 + FIGURES * 3) * 24 * 400,
    "alerts": 50 * 400,
    "decisions": 1_000 * 400,
}


TIMES: Final = (
    *("first_audio_ms", "transcript_ms", "audio_ready_ms", "reply_ready_ms", "played_ms", "asr_ms", "llm_ms"),
    *("asr_wait_ms", "llm_wait_ms", "llm_first_token_ms", "llm_first_sentence_ms", "tts_wait_ms"),
)
RATIOS: Final = ("error_ratio", "cpu_ratio", "memory_ratio")
LATENCIES: Final = ("latency_mean_ms", "latency_ewma_ms", "latency_p95_ms")


def fields_of(kind: RecordKind, rng: random.Random) -> dict[str, Any]:
    """Return one record as its writer makes it."""
    instance = f"llm-{rng.randrange(INSTANCES)}"
    if kind == "turn":
        return _turn(rng)
    if kind == "sample":
        numbers = {name: round(rng.uniform(1, 900), 3) for name in (*LATENCIES, *RATIOS)}
        counts = {"in_flight": rng.randrange(9), "calls": rng.randrange(10**6), "errors": rng.randrange(99)}
        return {"service": "llm", "instance": instance, "state": "ready", **numbers, **counts}
    if kind == "alert":
        return {"name": "response time", "phase": "firing", "detail": "x" * 60, "value": rng.random()}
    moved = {"before": rng.random(), "after": rng.random(), "number": rng.randrange(9_999)}
    words = {"event": "weight adjusted", "why": "x" * 90, "evidence": "x" * 120}
    return {"service": "llm", "instance": instance, **moved, **words}


def _turn(rng: random.Random) -> dict[str, Any]:
    named = {f"{service}_instance": f"{service}-{rng.randrange(9)}" for service in ("asr", "llm", "tts")}
    times = {name: round(rng.uniform(1, 9_000), 1) for name in TIMES}
    return {
        "turn": uuid.UUID(int=rng.getrandbits(128)).hex,
        "device": f"aa:bb:cc:dd:ee:{rng.randrange(DEVICES):02x}",
        "server": "front-0a1b2c3d",
        "outcome": "answered",
        "started_at_ms": T0_MS,
        "sentences": 3,
        "frames": 120,
        "gaps": 0,
        **named,
        **times,
    }


def rows_of(name: str, count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield rows of one table."""
    for i in range(count):
        if name == "hours":
            key = {"hour_ms": T0_MS + i // 180 * 3_600_000, "kind": "sample", "service": "llm"}
            names = {"name": f"llm-{i // 9 % INSTANCES}", "reading": f"latency_mean_{i % 9}"}
            yield {
                **key,
                **names,
                "count": 60,
                "total": rng.random(),
                "low": rng.random(),
                "high": rng.random(),
            }
            continue
        kind = next(kind for kind, table in OF_KIND.items() if table.name == name and kind != "kpi")
        yield row_of(Record(entry_ms=T0_MS + i * 137, entry_seq=0, kind=kind, fields=fields_of(kind, rng)))


def bytes_per_row(folder: Path, name: str, count: int) -> float:
    """Return what a row of a table weighs in an SQLite file, with indexes and free space in its pages."""
    file = folder / f"{name}.sqlite3"
    store = Store.at(f"sqlite:///{file}")
    store.prepare()
    empty = file.stat().st_size
    rng = random.Random(1)
    table = HOURS if name == "hours" else next(each for each in OF_KIND.values() if each.name == name)
    rows = list(rows_of(name, count, rng))
    for start in range(0, count, BATCH):
        with store.engine.begin() as connection:
            connection.execute(insert(table), rows[start : start + BATCH])
    store.close()
    with sqlite3.connect(file) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (file.stat().st_size - empty) / count


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    count = parser.parse_args().rows
    total = 0.0
    print("| table | bytes per row | rows kept | MB |\n| --- | --- | --- | --- |")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        for name, kept in KEPT.items():
            each = bytes_per_row(Path(folder), name, count)
            total += each * kept
            print(f"| {name} | {each:.0f} | {kept:,} | {each * kept / 1e6:.0f} |")  # noqa: T201
    print(f"| all | | | {total / 1e6:.0f} |")  # noqa: T201


if __name__ == "__main__":
    main()
