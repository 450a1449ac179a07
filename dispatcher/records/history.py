"""History from the records for charts: KPIs over a span of time, and the last alerts."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.engine import Connection, Engine

from dispatcher.records.engine import transaction
from dispatcher.records.tables import ALERTS, HOURS, SAMPLES

_READING: Final = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySpan:
    """A span of time that is shown.

    Attributes:
        length_ms: how far back it reaches.
        step_ms: values within so long are shown as their mean.
        rolled_up: older values are read from the table of hours.
    """

    length_ms: int
    step_ms: int
    rolled_up: bool = False


def read_kpis(engine: Engine, span: HistorySpan, *, now_ms: int) -> dict[str, list[tuple[int, float]]]:
    """Return the values of each KPI with their times in Unix ms, oldest first.

    Raises:
        RecordsError: the store is unreachable, or has no tables yet.
    """
    since_ms = now_ms - span.length_ms
    sums: defaultdict[tuple[str, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    with transaction(engine) as connection:
        found = [*_samples(connection, since_ms)]
        if span.rolled_up:
            found += _hours(connection, since_ms)
    for name, at_ms, count, total in found:
        place = sums[name, at_ms // span.step_ms * span.step_ms]
        place[0] += count
        place[1] += total
    series: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for (name, at_ms), (count, total) in sorted(sums.items()):
        series[name].append((at_ms, round(total / count, 6)))
    return dict(series)


def read_alerts(engine: Engine, *, last: int) -> Sequence[Mapping[str, Any]]:
    """Return the latest begins and ends of alerts, newest first.

    Raises:
        RecordsError: the store is unreachable, or has no tables yet.
    """
    columns = ALERTS.columns
    newest = select(ALERTS).order_by(columns.entry_ms.desc(), columns.entry_seq.desc()).limit(last)
    with transaction(engine) as connection:
        return [_flat(row) for row in connection.execute(newest).mappings()]


def _samples(connection: Connection, since_ms: int) -> list[tuple[str, int, float, float]]:
    columns = SAMPLES.columns
    rows = select(columns.name, columns.entry_ms, columns.extra).where(
        columns.entry_ms >= since_ms, columns.kind == "kpi"
    )
    values = (
        (name, at_ms, json.loads(extra).get(_READING)) for name, at_ms, extra in connection.execute(rows)
    )
    return [(name, at_ms, 1.0, float(value)) for name, at_ms, value in values if value is not None]


def _hours(connection: Connection, since_ms: int) -> list[tuple[str, int, float, float]]:
    columns = HOURS.columns
    rows = select(columns.name, columns.hour_ms, columns.count, columns.total).where(
        columns.hour_ms >= since_ms, columns.kind == "kpi", columns.reading == _READING
    )
    return [
        (name, at_ms, float(count), float(total)) for name, at_ms, count, total in connection.execute(rows)
    ]


def _flat(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row with the fields that have no column of their own."""
    fields = {str(name): value for name, value in row.items() if name != "extra"}
    return {**json.loads(row["extra"]), **fields}
