"""Budgets that steer: which of them a call counts for, and what may be left of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dispatcher.catalogue.usage_rules import Budget, BudgetUnit, Price
from dispatcher.messages import Service
from dispatcher.routing.rules.usage import Amounts, cost_of

# What one call uses at most, as a rule: so much is set aside for each under way, until a larger one is known.
LARGE_CALL: Final[Mapping[Service, Amounts]] = {
    "asr": {"seconds": 30},
    "llm": {"prompt_tokens": 8000, "completion_tokens": 1000},
    "tts": {"characters": 300, "seconds": 60},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedBudget:
    """A budget as it holds for one call.

    Attributes:
        name: in the YAML.
        counter: names what is spent of it.
        limit: in its unit.
        period: the day or the month that it is of.
        unit: what is counted.
        instance: the only one that it is of; empty for all that are paid.
        large_call: what a call uses at most, as a rule.
    """

    name: str
    counter: str
    limit: float
    period: str
    unit: BudgetUnit
    instance: str
    large_call: float

    def covers(self, instance: str) -> bool:
        """Return whether calls of a paid instance count."""
        return self.instance in {"", instance}


def applied_budgets(
    budgets: Mapping[str, Budget],
    *,
    service: Service,
    device_id: str,
    persona: str,
    day: str,
    prices: Mapping[str, Price | None],
) -> Iterator[AppliedBudget]:
    """Yield the budgets that hold for a call.

    Args:
        budgets: by name.
        service: that is called.
        device_id: whose call it is.
        persona: of that device.
        day: today, YYYY-MM-DD in the zone of the house.
        prices: of the paid instances of the service, by name.
    """
    for name, budget in budgets.items():
        is_of_call = budget.device in {None, device_id} and budget.persona in {None, persona}
        of_instances = [prices[each] for each in prices if budget.instance in {None, each}]
        large_call = _large_call(budget.unit, service, of_instances)
        if is_of_call and large_call:
            yield AppliedBudget(
                name=name,
                counter=counter_of(name, budget),
                limit=budget.limit,
                period=period_of(budget, day),
                unit=budget.unit,
                instance=budget.instance or "",
                large_call=large_call,
            )


def counter_of(name: str, budget: Budget) -> str:
    """Return the name of what is spent of a budget: with another unit or period it begins anew."""
    return f"{name}:{budget.unit}:{budget.per}"


def period_of(budget: Budget, day: str) -> str:
    """Return the day, or its month, that a budget is of."""
    return day if budget.per == "day" else day[: len("2026-11")]


def used_of(unit: BudgetUnit, amounts: Amounts, cost: float) -> float:
    """Return what a call uses of a budget."""
    if unit == "cost":
        return cost
    if unit == "tokens":
        return amounts.get("prompt_tokens", 0) + amounts.get("completion_tokens", 0)
    return amounts.get(unit, 0)


def _large_call(unit: BudgetUnit, service: Service, prices: Sequence[Price | None]) -> float:
    """Return what a large call uses of a budget; 0 where calls of the service use nothing of it."""
    amounts = LARGE_CALL[service]
    return max((used_of(unit, amounts, cost_of(amounts, price)) for price in prices), default=0.0)
