"""One stack for all tests of this folder: starting it takes longest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.verify.up import HurtableStack


@pytest.fixture(scope="module")
def hurtable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HurtableStack]:
    stack = HurtableStack(tmp_path_factory.mktemp("hurtable"))
    try:
        stack.start()
        yield stack
    finally:
        stack.finish()
