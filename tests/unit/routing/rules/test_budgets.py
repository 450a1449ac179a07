"""Budgets that hold for a call."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.usage_rules import Budget, BudgetUnit, Price
from dispatcher.messages import Service
from dispatcher.routing.rules.budgets import applied_budgets, used_of
from dispatcher.routing.rules.usage import Amounts

KITCHEN = "02:00:00:00:00:01"
PRICES = {"paid": Price(prompt_tokens=2, completion_tokens=8), "keyed": None}


def held(
    budget: Budget, *, service: Service = "llm", persona: str = "kids", **prices: Price | None
) -> list[float]:
    """Return what a large call uses of each budget that holds for a call of the kitchen."""
    found = applied_budgets(
        {"b": budget},
        service=service,
        device_id=KITCHEN,
        persona=persona,
        day="2026-11-30",
        prices=prices or PRICES,
    )
    return [each.large_call for each in found]


@pytest.mark.parametrize(
    ("budget", "holds"),
    [
        (Budget(per="day", cost=1), True),
        (Budget(per="day", cost=1, device=KITCHEN), True),
        (Budget(per="day", cost=1, device="02:00:00:00:00:02"), False),
        (Budget(per="day", cost=1, persona="kids"), True),
        (Budget(per="day", cost=1, persona="guests"), False),
        (Budget(per="day", cost=1, instance="paid"), True),
        (Budget(per="day", cost=1, instance="keyed"), False),
        (Budget(per="day", tokens=1, instance="keyed"), True),
        (Budget(per="day", characters=1), False),
        (Budget(per="day", seconds=1), False),
    ],
)
def test_a_budget_holds_for_its_device_persona_and_instance_and_what_they_use(
    budget: Budget, *, holds: bool
) -> None:
    assert bool(held(budget)) is holds


def test_without_a_paid_instance_no_budget_holds() -> None:
    found = applied_budgets(
        {"b": Budget(per="day", tokens=1)},
        service="llm",
        device_id="",
        persona="",
        day="2026-11-30",
        prices={},
    )
    assert list(found) == []


def test_the_dearest_instance_says_what_a_large_call_uses() -> None:
    assert held(Budget(per="day", cost=1)) == pytest.approx([0.024])
    assert held(Budget(per="day", characters=1), service="tts", voice=None) == [300]
    assert held(Budget(per="day", seconds=1), service="asr", ear=None) == [30]


@pytest.mark.parametrize(("per", "period"), [("day", "2026-11-30"), ("month", "2026-11")])
def test_a_budget_is_of_today_or_of_this_month(per: str, period: str) -> None:
    budget = Budget(per=per, cost=3, instance="paid")  # type: ignore[arg-type]
    (found,) = applied_budgets(
        {"b": budget}, service="llm", device_id="", persona="", day="2026-11-30", prices=PRICES
    )
    assert (found.name, found.limit, found.period, found.unit) == ("b", 3, period, "cost")
    assert found.covers("paid")
    assert not found.covers("keyed")


@pytest.mark.parametrize(
    ("unit", "used"), [("cost", 0.5), ("tokens", 11), ("characters", 40), ("seconds", 0)]
)
def test_a_call_uses_what_the_budget_counts(unit: BudgetUnit, used: float) -> None:
    amounts: Amounts = {"prompt_tokens": 8, "cached_tokens": 4, "completion_tokens": 3, "characters": 40}
    assert used_of(unit, amounts, 0.5) == used
