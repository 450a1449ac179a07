"""Prefill in the YAML."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.conversation import PrefillRules
from tests.unit.catalogue.files import CatalogueFile, file_with


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", PrefillRules(enabled=False)),
        ("false", PrefillRules(enabled=False)),
        ("true", PrefillRules()),
        ("{paid: true, idle: 5m}", PrefillRules(paid=True, idle_s=300.0)),
    ],
)
def test_prefill_is_off_unless_it_is_switched_on(
    catalogue_file: CatalogueFile, text: str, rules: PrefillRules
) -> None:
    more = f"conversation:\n  prefill: {text}\n  speculation: false\n"
    catalogue = catalogue_file.loads_as(file_with(more=more))
    assert catalogue.conversation.prefill == rules
    assert catalogue.conversation.uses_spare_slots("llm") is rules.enabled
    assert not catalogue.conversation.uses_spare_slots("tts")
    assert decode(encode(catalogue)).conversation.prefill == rules


def test_a_mistake_is_named(catalogue_file: CatalogueFile) -> None:
    problems = catalogue_file.problems(file_with(more="conversation:\n  prefill: {idle: soon}\n"))
    assert any("conversation.prefill.idle: was 'soon'" in each for each in problems), problems
