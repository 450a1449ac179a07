"""One stack for all tests of this folder: starting it takes longest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.verify.chaos_stack import ChaosStack


@pytest.fixture(scope="module")
def chaos_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChaosStack]:
    stack = ChaosStack(tmp_path_factory.mktemp("chaos_stack"))
    try:
        stack.start()
        yield stack
    finally:
        stack.finish()
