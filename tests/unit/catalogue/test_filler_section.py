"""The filler in the YAML."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.conversation import FILLER_PHRASES, FillerRules
from tests.unit.catalogue.files import CatalogueFile, file_with

OFF = FillerRules(after_ms=0)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("{}", FillerRules()),
        ("true", FillerRules()),
        ("null", OFF),
        ("false", OFF),
        ("{after_ms: 900}", FillerRules(after_ms=900)),
        ("{phrases: {en: [Well.]}}", FillerRules(phrases={"zh": FILLER_PHRASES["zh"], "en": ("Well.",)})),
        ("{phrases: {en: []}}", FillerRules(phrases={"zh": FILLER_PHRASES["zh"], "en": ()})),
    ],
)
def test_a_filler_is_read_and_off_where_it_is_null_or_false(
    catalogue_file: CatalogueFile, text: str, rules: FillerRules
) -> None:
    catalogue = catalogue_file.loads_as(file_with(more=f"conversation:\n  filler: {text}\n"))
    assert catalogue.conversation.filler == rules
    assert decode(encode(catalogue)).conversation.filler == rules


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{after_ms: 0}", "conversation.filler.after_ms: was 0; expected a whole number of 1 to 60000"),
        ("{after_ms: 2s}", "conversation.filler.after_ms: was '2s'; expected a whole number of 1 to 60000"),
        ("{phrases: {fr: [Euh]}}", "conversation.filler.phrases.fr: was 'fr'; expected one of zh, en"),
        ("{phrases: {en: Well.}}", "conversation.filler.phrases.en: was 'Well.'; expected a list of texts"),
        ("soon", "conversation.filler: was 'soon'; expected a mapping"),
    ],
)
def test_a_filler_that_cannot_be_is_refused_with_what_was_expected(
    catalogue_file: CatalogueFile, text: str, problem: str
) -> None:
    problems = catalogue_file.problems(file_with(more=f"conversation:\n  filler: {text}\n"))
    assert any(problem in each for each in problems), problems
