"""Mistakes of budgets that only show across keys: their limit, and the names that they are of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dispatcher.catalogue.usage_rules import BUDGET_UNITS


def budget_problems(
    budgets: Mapping[str, Any], *, instances: Collection[str], personas: Collection[str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong with budgets, each with its path.

    Args:
        budgets: by name, as the file has them; what has the wrong shape is the schema's to tell.
        instances: names of all instances.
        personas: names of all personas.
    """
    for name, budget in budgets.items():
        if not isinstance(budget, dict):
            continue
        at = ("usage", "budgets", name)
        given = [unit for unit in BUDGET_UNITS if budget.get(unit) is not None]
        if not given:
            yield at, f"has no limit; expected one of {', '.join(BUDGET_UNITS)}"
        for unit in given[1:]:
            yield (*at, unit), f"is a second limit beside {given[0]}; expected one, and a budget for each"
        for key, known in (("instance", instances), ("persona", personas)):
            if isinstance(budget.get(key), str) and budget[key] not in known:
                yield (
                    (*at, key),
                    f"was {budget[key]!r}; expected one of {', '.join(known) or 'none, as none is there'}",
                )
