"""Cost of a turn in counts, and the figures that it is compared with, for each version of Python."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from rich.table import Table

from dispatcher.ops.bench.bench_tables import bench_table

FIGURES: Final = Path(__file__).with_name("cost_figures.json")
MAX_CALL_GROWTH: Final = 0.03
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCost:
    """Cost of one turn of one device.

    Attributes:
        commands: sent to Redis, by name and kind of key.
        calls: of our own functions, by process.
        redis_bytes: over all connections, "in" and "out" as the server sees them.
    """

    commands: Mapping[str, int]
    calls: Mapping[str, int]
    redis_bytes: Mapping[str, int]

    @classmethod
    def smallest(cls, costs: Sequence[TurnCost]) -> Self:
        """Return the smallest of each figure; a command that some turns lack is no turn's own."""
        return cls(
            commands=_least([cost.commands for cost in costs]),
            calls=_least([cost.calls for cost in costs]),
            redis_bytes=_least([cost.redis_bytes for cost in costs]),
        )

    def problems(self, kept: TurnCost) -> list[str]:
        """Return where it is more than the kept figures allow, and which commands are others."""
        changed = [
            f"{kind}: {self.commands.get(kind, 0)} commands a turn, kept: {kept.commands.get(kind, 0)}"
            for kind in sorted({*self.commands, *kept.commands})
            if self.commands.get(kind) != kept.commands.get(kind)
        ]
        grown = [
            f"{name}: {calls} calls a turn, kept: {kept.calls.get(name, 0)} and {MAX_CALL_GROWTH:.0%}"
            for name, calls in self.calls.items()
            if calls > kept.calls.get(name, 0) * (1 + MAX_CALL_GROWTH)
        ]
        return changed + grown


def read_figures(path: Path = FIGURES) -> TurnCost | None:
    """Return the figures that are kept for this version of Python; None where there are none."""
    kept = _all_figures(path).get(PYTHON)
    return None if kept is None else TurnCost(**kept)


def write_figures(cost: TurnCost, path: Path = FIGURES) -> None:
    """Keep figures for this version of Python; those of others stay."""
    figures = {**_all_figures(path), PYTHON: asdict(cost)}
    path.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def cost_table(cost: TurnCost, kept: TurnCost | None) -> Table:
    """Return each figure beside the kept one."""
    table = bench_table("one turn of one device", "now", "kept")
    for title, name in (("calls", "calls"), ("bytes", "redis_bytes"), ("", "commands")):
        now, before = getattr(cost, name), getattr(kept, name) if kept else {}
        for kind in sorted({*now, *before}):
            table.add_row(f"{title} {kind}".strip(), str(now.get(kind, 0)), str(before.get(kind, "–")))
        all_before = str(sum(before.values()) or "–")
        table.add_row(f"[bold]all {name.replace('_', ' ')}", str(sum(now.values())), all_before)
        table.add_section()
    return table


def _least(found: Sequence[Mapping[str, int]]) -> dict[str, int]:
    common = set.intersection(*(set(each) for each in found))
    return {kind: min(each[kind] for each in found) for kind in sorted(common)}


def _all_figures(path: Path) -> dict[str, Any]:
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return figures
