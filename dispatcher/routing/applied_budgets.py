"""Budgets that hold for one call, as the scripts of a pick and of its end take them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from dispatcher.catalogue.model import Catalogue, Instance
from dispatcher.messages import Service
from dispatcher.redis_client import keys as redis_keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import RestOperands, Value
from dispatcher.routing.rules.budgets import AppliedBudget, applied_budgets, used_of
from dispatcher.routing.rules.usage import Amounts, cost_of, day_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """Budgets of one call; without any, nothing more is sent than before.

    Attributes:
        paid: names of the instances whose calls count.
    """

    applied: tuple[AppliedBudget, ...] = ()
    paid: frozenset[str] = frozenset()

    @property
    def keys(self) -> list[str]:
        """Names of their hashes."""
        return [redis_keys.BUDGET_PREFIX + each.counter for each in self.applied]

    @property
    def operands(self) -> RestOperands:
        """Keys and arguments of pick_budgets.lua."""
        if not self.applied:
            return {}
        words: list[Value] = [",".join(sorted(self.paid))]
        for each in self.applied:
            words += (each.name, each.limit, each.period, each.large_call, each.instance)
        return {"rest_keys": self.keys, "rest": words}

    def of(self, instance: str) -> Budgets:
        """Return those that calls of an instance count for."""
        is_paid = instance in self.paid
        held = tuple(each for each in self.applied if is_paid and each.covers(instance))
        return Budgets(applied=held, paid=self.paid)

    def spent_arguments(self, service: Service, instance: Instance | None, used: Amounts) -> list[Value]:
        """Return the arguments of call_usage.lua for each of them; an instance that left the YAML is free."""
        amounts = used if instance else {}
        cost = cost_of(amounts, instance.price) if instance and amounts else 0.0
        words: list[Value] = []
        for each in self.applied:
            words += (each.period, round(used_of(each.unit, amounts, cost), 9), service)
        return words


NO_BUDGETS: Final = Budgets()


async def read_barred(redis: RedisClient, catalogue: Catalogue) -> dict[Service, frozenset[str]]:
    """Return the paid instances that get no call of any device, since a budget that is of all is spent.

    Raises:
        StateError: Redis is out of reach.
    """
    of = {service: budgets_of(catalogue, service, "", "") for service in catalogue.services}
    applied = {each.counter: each for budgets in of.values() for each in budgets.applied}
    looks = (redis.submit(("HMGET", redis_keys.BUDGET_PREFIX + name, "period", "spent")) for name in applied)
    found = zip(applied.values(), await asyncio.gather(*looks), strict=True)
    spent = {
        each.counter
        for each, (period, amount) in found
        if (period or b"").decode() >= each.period and float(amount or 0) >= each.limit
    }
    return {
        service: frozenset(
            name
            for name in budgets.paid
            if any(each.counter in spent and each.covers(name) for each in budgets.applied)
        )
        for service, budgets in of.items()
    }


def budgets_of(catalogue: Catalogue, service: Service, device_id: str, persona: str) -> Budgets:
    """Return the budgets that hold for a call of a service."""
    if not catalogue.usage.budgets or not catalogue.usage.enabled:
        return NO_BUDGETS
    prices = {each.name: each.price for each in catalogue.services[service].instances if each.is_paid}
    applied = applied_budgets(
        catalogue.usage.budgets,
        service=service,
        device_id=device_id,
        persona=persona,
        day=day_of(time.time(), catalogue.conversation.timezone or ""),
        prices=prices,
    )
    return Budgets(applied=tuple(applied), paid=frozenset(prices))
