"""Keys of an instance that say how its service is asked."""

from __future__ import annotations

import pytest

from tests.unit.catalogue.files import ENDPOINT, CatalogueFile, file_with


def test_how_an_llm_is_asked_can_be_chosen(catalogue_file: CatalogueFile) -> None:
    keys = "thinking: off, temperature: 0.3, max_tokens: 200, extra_body: {top_k: 3, stop: [x]}"
    instance = catalogue_file.loads_as(_with_llm(keys)).instance("llm-1")
    assert (instance.thinking, instance.temperature, instance.max_tokens) == ("off", 0.3, 200)
    assert instance.extra_body == {"top_k": 3, "stop": ["x"]}
    ollama = catalogue_file.loads_as(_with_llm("provider: ollama, model: m, num_ctx: 8192"))
    assert ollama.instance("llm-1").num_ctx == 8192


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("thinking: loud", "thinking: was 'loud'; expected one of off, auto"),
        ("temperature: hot", "temperature: was 'hot'; expected a number of 0 to 2"),
        ("temperature: 3", "temperature: was 3; expected a number of 0 to 2"),
        ("max_tokens: 0", "max_tokens: was 0; expected a whole number of at least 1"),
        ("num_ctx: 8192", "num_ctx: is for provider: ollama only"),
        ("extra_body: fast", "extra_body: was 'fast'; expected a mapping of keys"),
        ("extra_body: {stream: false}", "expected keys other than stream, which the dispatcher itself sends"),
        ("extra_body: {x: .nan}", "expected texts, numbers, lists and mappings of 10000 characters at most"),
    ],
)
def test_how_an_llm_is_asked_is_refused_where_it_is_wrong(
    catalogue_file: CatalogueFile, keys: str, words: str
) -> None:
    (problem,) = catalogue_file.problems(_with_llm(keys))
    assert words in problem


def test_numbers_are_sent_as_words_to_the_voices_that_ask_for_it(catalogue_file: CatalogueFile) -> None:
    text = file_with(ENDPOINT)
    asking = text.replace(
        "tts_services: {instances: [{", "tts_services: {instances: [{normalize_text: true, ", 1
    )
    assert catalogue_file.loads_as(asking).instance("tts-1").normalize_text
    assert not catalogue_file.loads_as(text).instance("tts-1").normalize_text
    (problem,) = catalogue_file.problems(asking.replace("normalize_text: true", "normalize_text: 7"))
    assert "normalize_text: was 7; expected true or false" in problem
    (problem,) = catalogue_file.problems(_with_llm("normalize_text: true"))
    assert "normalize_text: is for instances of tts_services only" in problem


def test_keys_that_nobody_would_look_at_are_refused(catalogue_file: CatalogueFile) -> None:
    problems = catalogue_file.problems(file_with(f"{ENDPOINT}, thinking: off, temperature: 1"))
    assert [each.rpartition("].")[2] for each in problems] == [
        "thinking: is for instances of llm_services only",
        "temperature: is for instances of llm_services only",
    ]


def _with_llm(keys: str) -> str:
    """Return a file whose LLM instance has these keys."""
    return file_with(ENDPOINT).replace(
        "llm_services: {instances: [{", "llm_services: {instances: [{" + keys + ", ", 1
    )
