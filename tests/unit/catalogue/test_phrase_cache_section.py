"""The phrase cache in the YAML."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.model import NO_PHRASES, PhraseRules
from tests.unit.catalogue.files import CatalogueFile, file_with


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("null", NO_PHRASES),
        ("false", NO_PHRASES),
        ("true", PhraseRules()),
        ("{}", PhraseRules(max_mb=16.0)),
        ("{max_mb: 2.5, sentences: false}", PhraseRules(max_mb=2.5, sentences=False)),
    ],
)
def test_the_cache_is_read_and_off_where_it_is_null_or_false(
    catalogue_file: CatalogueFile, text: str, rules: PhraseRules
) -> None:
    catalogue = catalogue_file.loads_as(file_with(more=f"phrase_cache: {text}\n"))
    assert catalogue.phrase_cache == rules
    assert catalogue.phrase_cache.is_on is (rules != NO_PHRASES)
    assert decode(encode(catalogue)).phrase_cache == rules


def test_no_cache_is_kept_unless_the_file_says_so(catalogue_file: CatalogueFile) -> None:
    assert not catalogue_file.loads_as(file_with()).phrase_cache.is_on


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{max_mb: 0}", "phrase_cache.max_mb: was 0; expected a number above 0, at most 1024"),
        ("{max_mb: 16mb}", "phrase_cache.max_mb: was '16mb'; expected a number above 0, at most 1024"),
        ("{max_mb: 2000}", "phrase_cache.max_mb: was 2000; expected a number above 0, at most 1024"),
        ("{sentences: 2}", "phrase_cache.sentences: was 2; expected true or false"),
        ("16", "phrase_cache: was 16; expected a mapping"),
    ],
)
def test_a_cache_that_cannot_be_is_refused_with_what_was_expected(
    catalogue_file: CatalogueFile, text: str, problem: str
) -> None:
    problems = catalogue_file.problems(file_with(more=f"phrase_cache: {text}\n"))
    assert any(problem in each for each in problems), problems
