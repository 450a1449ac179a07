"""Usage in SQL: a row for each day, instance, device and persona, which grows as its calls end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import func, select
from sqlalchemy.engine import Connection, Engine

from dispatcher.messages import Record
from dispatcher.records.engine import transaction, upsert
from dispatcher.records.rows import fitted
from dispatcher.records.tables import USAGE
from dispatcher.routing.rules.usage import KEPT
from dispatcher.telemetry.usage_counters import UsageKey, amounts_in

Grouping: TypeAlias = Literal["device", "persona", "instance", "day"]
GROUPINGS: Final[tuple[Grouping, ...]] = ("device", "persona", "instance", "day")
_KEY: Final = ("day", "service", "instance", "device", "persona")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotal:
    """Usage of one device, persona, instance or day.

    Attributes:
        name: of the device and so on; empty for calls without one.
        counted_calls: calls of which the instance said less than we counted.
        cost: in the currency of the YAML.
    """

    name: str
    calls: float = 0
    counted_calls: float = 0
    prompt_tokens: float = 0
    cached_tokens: float = 0
    completion_tokens: float = 0
    characters: float = 0
    seconds: float = 0
    cost: float = 0


def add(connection: Connection, records: Iterable[Record]) -> None:
    """Add what records of usage hold to their rows."""
    sums: dict[UsageKey, Counter[str]] = {}
    for record in records:
        for key, amounts in amounts_in(record.fields).items():
            # A Counter keeps fractions as well.
            sums.setdefault(key, Counter()).update(amounts)
    if sums:
        rows = [_row(key, amounts) for key, amounts in sums.items()]
        connection.execute(upsert(connection, USAGE, _added), rows)


def _row(key: UsageKey, amounts: Mapping[str, float]) -> dict[str, Any]:
    names = {name: fitted(USAGE.columns[name], getattr(key, name)) for name in _KEY}
    return {**names, **{name: amounts.get(name, 0) for name in KEPT}}


def _added(new: Any) -> dict[str, Any]:
    """Return the sums of a row and of what is new."""
    return {name: USAGE.columns[name] + new[name] for name in KEPT}


def read_totals(engine: Engine, *, by: Grouping, since_day: str) -> Sequence[UsageTotal]:
    """Return the usage since a day, that day included; the dearest first, days in their order.

    Raises:
        RecordsError: the store is unreachable, or has no tables yet.
    """
    columns = USAGE.columns
    sums = [func.sum(columns[name]).label(name) for name in KEPT]
    wanted = select(columns[by].label("name"), *sums).where(columns.day >= since_day).group_by(columns[by])
    with transaction(engine) as connection:
        found = [UsageTotal(**row) for row in connection.execute(wanted).mappings()]
    if by == "day":
        return sorted(found, key=lambda each: each.name)
    return sorted(found, key=lambda each: (-each.cost, -each.calls, each.name))
