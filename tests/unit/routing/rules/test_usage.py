"""Usage by the day of the house, and its cost."""

from __future__ import annotations

from datetime import datetime

import pytest

from dispatcher.catalogue.usage_rules import Price
from dispatcher.routing.rules.usage import Amounts, cost_of, day_of

# 2026-11-30 16:30 UTC.
EVENING_S = 1_796_056_200.0


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", "2026-11-30"), ("Asia/Shanghai", "2026-12-01"), ("America/New_York", "2026-11-30")],
)
def test_a_day_is_that_of_the_house(zone: str, day: str) -> None:
    assert day_of(EVENING_S, zone) == day


def test_without_a_zone_it_is_the_day_of_the_host() -> None:
    assert day_of(EVENING_S, "") == datetime.fromtimestamp(EVENING_S).astimezone().date().isoformat()


LLM = Price(prompt_tokens=2, completion_tokens=8)


@pytest.mark.parametrize(
    ("amounts", "price", "cost"),
    [
        ({"prompt_tokens": 1_000_000}, None, 0),
        ({"prompt_tokens": 500_000, "completion_tokens": 250_000}, LLM, 3),
        ({"prompt_tokens": 500_000, "cached_tokens": 400_000}, LLM, 1),
        (
            {"prompt_tokens": 500_000, "cached_tokens": 400_000},
            Price(prompt_tokens=2, cached_tokens=0.5),
            0.4,
        ),
        ({"prompt_tokens": 500_000, "cached_tokens": 400_000}, Price(prompt_tokens=2, cached_tokens=0), 0.2),
        ({"characters": 20_000}, Price(characters=100), 2),
        ({"seconds": 60}, Price(seconds=0.0002), 0.012),
        ({"seconds": 60}, Price(calls=0.01), 0.01),
    ],
)
def test_a_call_costs_its_amounts_by_their_prices(amounts: Amounts, price: Price | None, cost: float) -> None:
    assert cost_of(amounts, price) == pytest.approx(cost)
