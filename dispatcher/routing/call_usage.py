"""Usage of one call: what its instance said, else what we counted; written when the lease is given back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from dispatcher.catalogue.model import Catalogue, Instance
from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.lua_script import RestOperands, Value
from dispatcher.routing.applied_budgets import NO_BUDGETS, Budgets
from dispatcher.routing.rules.usage import Amounts, Unit, cost_of, day_of

# Between the parts of a counter's name; no part has it.
SEPARATOR: Final = "\x1f"
NO_USAGE: Final[RestOperands] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Device and persona that a call is made for; both empty for a call of the house."""

    device_id: str = ""
    persona: str = ""


HOUSE: Final = Payer()


@dataclass(slots=True, kw_only=True)
class CallUsage:
    """Usage of a call so far; a call that used nothing is not written.

    Attributes:
        payer: whose call it is.
        budgets: of which a part is set aside for it.
        reported: as the instance said.
        counted: by us; what the instance says comes in its place.
    """

    payer: Payer = HOUSE
    budgets: Budgets = NO_BUDGETS
    reported: dict[Unit, float] = field(default_factory=dict)
    counted: dict[Unit, float] = field(default_factory=dict)

    @property
    def amounts(self) -> Amounts:
        """What was used."""
        return {**self.counted, **self.reported}

    def note_failure(self) -> None:
        """Count nothing by ourselves where the call failed before anything came, as by silence."""
        if not any(self.reported.values()) and not self.counted.get("completion_tokens"):
            self.counted.clear()

    @property
    def is_counted(self) -> bool:
        """Whether some of it is known by our count alone."""
        return not self.counted.keys() <= self.reported.keys()


def operands(catalogue: Catalogue, service: Service, name: str, usage: CallUsage) -> RestOperands:
    """Return keys and arguments of call_usage.lua for a call to an instance; one that is gone is free."""
    instances = catalogue.services[service].instances
    instance = next((each for each in instances if each.name == name), None)
    counted = counters(catalogue, instance, usage) if instance else []
    spent = usage.budgets.spent_arguments(service, instance, usage.amounts)
    if not counted and not spent:
        return NO_USAGE
    return {"rest_keys": (keys.USAGE, *usage.budgets.keys), "rest": [*(counted or [""]), *spent]}


def counters(catalogue: Catalogue, instance: Instance, usage: CallUsage) -> list[Value]:
    """Return how the counters of a call begin, then units and amounts; nothing for no usage."""
    amounts = usage.amounts
    if not amounts or not catalogue.usage.enabled:
        return []
    day = day_of(time.time(), catalogue.conversation.timezone or "")
    parts = (day, instance.service, instance.name, usage.payer.device_id, usage.payer.persona)
    named: list[Value] = [SEPARATOR.join(part.replace(SEPARATOR, "") for part in parts), "calls", 1]
    if usage.is_counted:
        named += ["counted_calls", 1]
    cost = cost_of(amounts, instance.price)
    for unit, amount in (*amounts.items(), ("cost", cost)):
        if amount:
            named += [unit, round(amount, 9)]
    return named
