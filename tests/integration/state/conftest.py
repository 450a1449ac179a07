"""Fixtures of the tests of shared state."""

from __future__ import annotations

import pytest

from dispatcher.state.line import RedisLine
from tests.support.fleet import Fleet


@pytest.fixture
def fleet(line: RedisLine) -> Fleet:
    """LLM instances in an empty broker."""
    return Fleet(line)
