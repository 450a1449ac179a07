"""Overload in the YAML."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.overload_rules import OverloadRules
from tests.unit.catalogue.files import CatalogueFile, file_with


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("{}", OverloadRules()),
        ("{enabled: false}", OverloadRules(enabled=False)),
        ("{highest_step: 4, brief_tokens: 80}", OverloadRules(highest_step=4, brief_tokens=80)),
        (
            "{steps_at: [500ms, 1s, 2s, 3s, 1m], hysteresis: 0.5, step_back_after: 2s}",
            OverloadRules(steps_at_s=(0.5, 1.0, 2.0, 3.0, 60.0), hysteresis_ratio=0.5, step_back_after_s=2.0),
        ),
    ],
)
def test_the_ladder_is_read(catalogue_file: CatalogueFile, text: str, rules: OverloadRules) -> None:
    catalogue = catalogue_file.loads_as(file_with(more=f"overload: {text}\n"))
    assert catalogue.overload == rules
    assert decode(encode(catalogue)).overload == rules


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{highest_step: 6}", "overload.highest_step: was 6; expected a whole number of 0 (no step) to 5"),
        ("{steps_at: [1s, 2s]}", "expected five times, none shorter than the one before"),
        ("{steps_at: [1s, 500ms, 2s, 3s, 4s]}", "expected five times, none shorter than the one before"),
        ("{steps_at: [soon, 1s, 2s, 3s, 4s]}", "expected five times, none shorter than the one before"),
        ("{hysteresis: 1}", "overload.hysteresis: was 1; expected a number of at least 0, below 1"),
        ("{step_back_after: never}", "overload.step_back_after: was 'never'; expected a time above 0"),
        ("{brief_tokens: 0}", "overload.brief_tokens: was 0; expected a whole number of at least 1"),
    ],
)
def test_a_mistake_is_named(catalogue_file: CatalogueFile, text: str, problem: str) -> None:
    problems = catalogue_file.problems(file_with(more=f"overload: {text}\n"))
    assert any(problem in each for each in problems), problems
