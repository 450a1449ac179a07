"""The strategy of endpointing in the YAML."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.conversation import Endpointing
from tests.unit.catalogue.files import CatalogueFile, file_with


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("silence", Endpointing()),
        ("smart_turn", Endpointing(strategy="smart_turn")),
        (
            "{strategy: smart_turn, finished_silence_ms: 300}",
            Endpointing(strategy="smart_turn", finished_silence_ms=300),
        ),
        ("null", Endpointing()),
    ],
)
def test_a_strategy_is_read_by_its_name_or_with_its_times(
    catalogue_file: CatalogueFile, text: str, rules: Endpointing
) -> None:
    catalogue = catalogue_file.loads_as(file_with(more=f"conversation:\n  endpointing: {text}\n"))
    assert catalogue.conversation.endpointing == rules
    assert decode(encode(catalogue)).conversation.endpointing == rules


@pytest.mark.parametrize("text", ["smart", "{strategy: smart}"])
def test_an_unknown_strategy_is_refused_with_those_there_are(
    catalogue_file: CatalogueFile, text: str
) -> None:
    (problem,) = catalogue_file.problems(file_with(more=f"conversation:\n  endpointing: {text}\n"))
    assert "conversation.endpointing" in problem
    assert "smart" in problem
    assert "one of silence, smart_turn" in problem
