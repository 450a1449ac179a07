"""Usage of calls: its units, the day that it belongs to, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from dispatcher.catalogue.usage_rules import MILLION, Price

Unit: TypeAlias = Literal["prompt_tokens", "cached_tokens", "completion_tokens", "characters", "seconds"]
Amounts: TypeAlias = Mapping[Unit, float]

UNITS: Final[tuple[Unit, ...]] = (
    *("prompt_tokens", "cached_tokens", "completion_tokens"),
    *("characters", "seconds"),
)
# What is kept of each device, persona and instance a day; `counted_calls` are those of which the instance
# said less than we counted.
KEPT: Final = ("calls", "counted_calls", *UNITS, "cost")


def day_of(now_s: float, timezone: str) -> str:
    """Return the day of a Unix time as YYYY-MM-DD, in a zone by its IANA name; empty is that of the host."""
    zone = ZoneInfo(timezone) if timezone else None
    return datetime.fromtimestamp(now_s, zone).date().isoformat()


def cost_of(amounts: Amounts, price: Price | None) -> float:
    """Return what a call cost, in the currency of the prices; cached tokens are part of the prompt."""
    if price is None:
        return 0.0
    cached = amounts.get("cached_tokens", 0)
    cached_price = price.prompt_tokens if price.cached_tokens is None else price.cached_tokens
    per_million = (
        (amounts.get("prompt_tokens", 0) - cached) * price.prompt_tokens
        + cached * cached_price
        + amounts.get("completion_tokens", 0) * price.completion_tokens
        + amounts.get("characters", 0) * price.characters
    )
    return per_million / MILLION + amounts.get("seconds", 0) * price.seconds + price.calls
