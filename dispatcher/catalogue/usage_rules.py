"""Prices of instances, and how usage is counted, in the YAML (docs/usage.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from dispatcher.catalogue.fields import InstanceName, Switch, Text, expected, one_of
from dispatcher.catalogue.section import Section
from dispatcher.messages import Service, canonical_device_id

MILLION: Final = 1_000_000
# What of a price belongs to which service; elsewhere it would be silently ignored.
PRICED: Final[dict[Service, tuple[str, ...]]] = {
    "asr": ("seconds", "calls"),
    "llm": ("prompt_tokens", "cached_tokens", "completion_tokens", "calls"),
    "tts": ("characters", "seconds", "calls"),
}

Amount = Annotated[
    float, Field(ge=0, le=MILLION, allow_inf_nan=False, strict=True), expected("a number of 0 to 1000000")
]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$"), expected("three capitals, such as CNY, EUR or USD")]
Limit = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False, strict=True), expected("a number above 0")]
BudgetUnit = Literal["cost", "tokens", "characters", "seconds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Section):
    """Price of an instance's work, in the currency of `usage`.

    Attributes:
        prompt_tokens, completion_tokens: of a million.
        cached_tokens: of a million of the prompt that were read before; None where they cost as the others.
        characters: of a million to speak.
        seconds: of one second of speech, heard or spoken.
        calls: of one call.
    """

    prompt_tokens: Amount = 0.0
    cached_tokens: Amount | None = None
    completion_tokens: Amount = 0.0
    characters: Amount = 0.0
    seconds: Amount = 0.0
    calls: Amount = 0.0

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        return not any(getattr(self, each.name) for each in fields(self))


BUDGET_UNITS: Final[tuple[BudgetUnit, ...]] = get_args(BudgetUnit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Section):
    """Bound of what paid calls may use in a day or a month; local instances take over before it is spent.

    Attributes:
        device, persona, instance: whose calls count; None is all of them.
        cost, tokens, characters, seconds: the limit, one of them.
    """

    per: Annotated[Literal["day", "month"], one_of(("day", "month")), Field(description="day or month")]
    device: Annotated[Text, AfterValidator(canonical_device_id)] | None = None
    persona: Text | None = None
    instance: InstanceName | None = None
    cost: Limit | None = None
    tokens: Limit | None = None
    characters: Limit | None = None
    seconds: Limit | None = None

    @property
    def unit(self) -> BudgetUnit:
        """What is limited."""
        return next(each for each in BUDGET_UNITS if getattr(self, each) is not None)

    @property
    def limit(self) -> float:
        """How much of it may be used."""
        return float(getattr(self, self.unit))


def _enabled(value: Any) -> Any:
    """Return what true and false mean in the place of the section."""
    return {"enabled": value} if isinstance(value, bool) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRules(Section):
    """How usage is counted.

    Attributes:
        enabled: whether it is counted at all.
        currency: of all prices.
        budgets: by name.
    """

    enabled: Switch = True
    currency: Currency = "CNY"
    budgets: Mapping[InstanceName, Budget] = field(default_factory=dict, hash=False)


UsageSection = Annotated[UsageRules, BeforeValidator(_enabled)]


def budget_problems(
    budgets: Mapping[str, Any], *, instances: Collection[str], personas: Collection[str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong with budgets across keys, each with its path: the limit, and the names they are of.

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
