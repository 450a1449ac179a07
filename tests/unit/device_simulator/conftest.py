"""Fixtures of the device's tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp
import pytest

from tests.unit.device_simulator.small_front import Bench, SmallFront, serving


@pytest.fixture
async def front() -> AsyncGenerator[SmallFront]:
    """A small front on a free port."""
    async with serving(SmallFront()) as running:
        yield running


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    """A client session."""
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def bench(front: SmallFront, session: aiohttp.ClientSession) -> Bench:
    """Devices that talk to the small front."""
    return Bench(front, session)
