"""What tests that read code leave behind: nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.architecture.tree import syntax


@pytest.fixture(scope="module", autouse=True)
def _syntax_trees() -> Iterator[None]:
    """Keep millions of nodes from the collector, and from the tests of other modules."""
    gc.disable()
    yield
    syntax.cache_clear()
    gc.enable()
    gc.collect()
