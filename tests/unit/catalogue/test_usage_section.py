"""Prices and usage in the YAML."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.usage_rules import Price, UsageRules
from tests.unit.catalogue.files import ENDPOINT, CatalogueFile, file_with


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", UsageRules()),
        ("false", UsageRules(enabled=False)),
        ("{currency: EUR}", UsageRules(currency="EUR")),
    ],
)
def test_usage_is_counted_unless_it_is_switched_off(
    catalogue_file: CatalogueFile, text: str, rules: UsageRules
) -> None:
    catalogue = catalogue_file.loads_as(file_with(more=f"usage: {text}\n"))
    assert catalogue.usage == rules
    assert decode(encode(catalogue)).usage == rules


@pytest.mark.parametrize(
    ("keys", "price", "is_paid"),
    [
        ("", None, False),
        (", api_key_env: SOME_KEY", None, True),
        (", price: {seconds: 0.0002}", Price(seconds=0.0002), True),
        (", api_key_env: SOME_KEY, price: {seconds: 0}", Price(), False),
    ],
)
def test_an_instance_is_paid_by_its_price_else_by_its_key(
    catalogue_file: CatalogueFile, keys: str, price: Price | None, *, is_paid: bool
) -> None:
    catalogue = catalogue_file.loads_as(file_with(ENDPOINT + keys), {"SOME_KEY": "a"})
    instance = catalogue.instance("asr-1")
    assert (instance.price, instance.is_paid) == (price, is_paid)
    assert catalogue.services["asr"].paid == ({"asr-1"} if is_paid else set())
    assert decode(encode(catalogue)).instance("asr-1").price == price


BUDGETS = """usage:
  budgets:
    kids: {persona: kids, per: day, cost: 1.5}
    kitchen: {device: "AA-BB-CC-DD-EE-FF", per: month, tokens: 50000}
    ear: {instance: asr-1, per: day, seconds: 600}
conversation: {personas: {kids: {}}}
"""


def test_budgets_are_of_a_device_a_persona_or_an_instance(catalogue_file: CatalogueFile) -> None:
    catalogue = catalogue_file.loads_as(file_with(more=BUDGETS))
    budgets = catalogue.usage.budgets
    assert [(each.unit, each.limit) for each in budgets.values()] == [
        ("cost", 1.5),
        ("tokens", 50000),
        ("seconds", 600),
    ]
    assert budgets["kitchen"].device == "aa:bb:cc:dd:ee:ff"
    assert decode(encode(catalogue)).usage.budgets == budgets


def budget(text: str) -> str:
    """Return a file with one budget."""
    return file_with(more=f"usage: {{budgets: {{b: {text}}}}}\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (budget("{per: day}"), "usage.budgets.b: has no limit; expected one of cost, tokens"),
        (budget("{per: day, cost: 1, tokens: 2}"), "usage.budgets.b.tokens: is a second limit beside cost"),
        (budget("{per: week, cost: 1}"), "usage.budgets.b.per: was 'week'; expected one of day, month"),
        (budget("{cost: 1}"), "usage.budgets.b.per: is missing; expected day or month"),
        (budget("{per: day, cost: 0}"), "usage.budgets.b.cost: was 0; expected a number above 0"),
        (budget("{per: day, cost: 1, instance: x}"), "usage.budgets.b.instance: was 'x'; expected one of"),
        (budget("{per: day, cost: 1, persona: x}"), "usage.budgets.b.persona: was 'x'; expected one of none"),
        (budget("{per: day, cots: 1}"), "usage.budgets.b.cots: unknown key; did you mean cost?"),
        (budget("3"), "usage.budgets.b: was 3; expected a mapping"),
        (file_with(more="usage: {currency: yuan}\n"), "usage.currency: was 'yuan'; expected three capitals"),
        (file_with(f"{ENDPOINT}, price: {{seconds: -1}}"), "price.seconds: was -1; expected a number of 0"),
        (
            file_with(f"{ENDPOINT}, price: {{seconds: cheap}}"),
            "price.seconds: was 'cheap'; expected a number",
        ),
        (file_with(f"{ENDPOINT}, price: {{second: 1}}"), "price.second: unknown key; did you mean seconds?"),
        (
            file_with(f"{ENDPOINT}, price: {{characters: 1}}"),
            "price.characters: is nothing that asr uses; expected seconds, calls",
        ),
        (file_with(f"{ENDPOINT}, price: 3"), "price: was 3; expected a mapping"),
    ],
)
def test_a_mistake_is_named(catalogue_file: CatalogueFile, text: str, problem: str) -> None:
    problems = catalogue_file.problems(text)
    assert any(problem in each for each in problems), problems
