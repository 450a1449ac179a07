"""Speculation in the YAML."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.conversation import SpeculationRules
from dispatcher.messages import SERVICES
from tests.unit.catalogue.files import CatalogueFile, file_with


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", SpeculationRules()),
        ("false", SpeculationRules(enabled=False)),
        ("true", SpeculationRules()),
        (
            "{pause_ms: 96, waste_budget: 0.1, paid: true}",
            SpeculationRules(pause_ms=96, waste_budget=0.1, paid=True),
        ),
    ],
)
def test_speculation_is_on_unless_it_is_switched_off(
    catalogue_file: CatalogueFile, text: str, rules: SpeculationRules
) -> None:
    catalogue = catalogue_file.loads_as(file_with(more=f"conversation:\n  speculation: {text}\n"))
    assert catalogue.conversation.speculation == rules
    assert {catalogue.conversation.uses_spare_slots(each) for each in SERVICES} == {rules.enabled}
    assert decode(encode(catalogue)).conversation.speculation == rules


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{waste_budget: 2}", "conversation.speculation.waste_budget: was 2"),
        ("{pause_ms: 0}", "conversation.speculation.pause_ms: was 0"),
    ],
)
def test_a_mistake_is_named(catalogue_file: CatalogueFile, text: str, problem: str) -> None:
    problems = catalogue_file.problems(file_with(more=f"conversation:\n  speculation: {text}\n"))
    assert any(problem in each for each in problems), problems
