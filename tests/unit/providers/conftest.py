"""The server that the tests of providers talk to."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.unit.providers.dialect import Dialect, speaking_dialect


@pytest.fixture
async def dialect() -> AsyncGenerator[Dialect]:
    """A server on a free port that knows no path yet."""
    async with speaking_dialect() as running:
        yield running
