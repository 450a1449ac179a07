"""Budgets as an operator sees them: what is spent of each, and what that does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dispatcher.catalogue.usage_rules import Budget
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing import instance_table
from dispatcher.routing.rules.budgets import counter_of, period_of
from dispatcher.routing.rules.constants import BUDGET_NEAR_RATIO
from dispatcher.routing.rules.usage import day_of

BudgetState = Literal["ok", "near", "spent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """A budget of the YAML at this moment.

    Attributes:
        unit: the currency for a cost.
        spent: by calls that ended; what is under way is not in it.
    """

    name: str
    per: Literal["day", "month"]
    unit: str
    limit: float
    spent: float

    @property
    def state(self) -> BudgetState:
        """Whether paid instances are used as ever, after local ones, or not at all."""
        if self.spent >= self.limit:
            return "spent"
        return "near" if self.spent >= self.limit * BUDGET_NEAR_RATIO else "ok"

    def in_words(self) -> str:
        """Return it as a line of `dispatcher status`."""
        effect = {"ok": "", "near": ": local instances first", "spent": ": local instances only"}[self.state]
        return f"budget {self.name}: {self.spent:g} of {self.limit:g} {self.unit} this {self.per}{effect}"


async def read_budgets(redis: RedisClient) -> tuple[BudgetView, ...]:
    """Return the budgets of the active catalogue, in the order of the YAML.

    Raises:
        StateError: Redis is out of reach.
        ConfigError: the active catalogue is of a version that this process does not understand.
    """
    active = await instance_table.read_active(redis)
    if active is None or not active.catalogue.usage.enabled:
        return ()
    usage, zone = active.catalogue.usage, active.catalogue.conversation.timezone or ""
    day = day_of(time.time(), zone)
    found = await asyncio.gather(
        *(
            redis.submit(("HGETALL", keys.BUDGET_PREFIX + counter_of(name, budget)))
            for name, budget in usage.budgets.items()
        )
    )
    return tuple(
        _view(name, budget, as_text(flat), day, usage.currency)
        for (name, budget), flat in zip(usage.budgets.items(), found, strict=True)
    )


def _view(name: str, budget: Budget, fields: Mapping[str, str], day: str, currency: str) -> BudgetView:
    is_of_now = fields.get("period") == period_of(budget, day)
    return BudgetView(
        name=name,
        per=budget.per,
        unit=currency if budget.unit == "cost" else budget.unit,
        limit=budget.limit,
        spent=round(float(fields.get("spent", 0)), 6) if is_of_now else 0.0,
    )
