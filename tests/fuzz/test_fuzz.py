"""Kept cases of fuzzing, each of which once failed or was reported, and a few drawn ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.target import close_loop
from tests.fuzz.targets import CORPUS, TARGETS, kept_cases

EXAMPLES = 12


@pytest.fixture(scope="module", autouse=True)
def _own_loop() -> Iterator[None]:
    yield
    close_loop()


def test_every_kept_case_belongs_to_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= TARGETS.keys()


@pytest.mark.parametrize(("name", "title"), [(name, title) for name in TARGETS for title in kept_cases(name)])
def test_a_case_that_failed_once_does_what_is_documented(name: str, title: str) -> None:
    TARGETS[name].check(kept_cases(name)[title])


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_does_what_is_documented_with_any_input(name: str) -> None:
    target = TARGETS[name]
    patient = settings(
        max_examples=max(3, round(EXAMPLES * target.weight)),
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    patient(given(target.cases)(target.check))()
