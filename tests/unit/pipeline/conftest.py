from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from dispatcher.pipeline.attempt import TRANSITIONS, Attempt, AttemptEvent
from tests.support.virtual_time import VirtualLoop
from tests.unit.pipeline.scripted_call import Rows


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Let the seconds of these tests take no time."""
    return {"virtual time": VirtualLoop}


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    """The rows of the table that were taken."""
    taken: Rows = set()

    def advance(attempt: Attempt, event: AttemptEvent) -> None:
        taken.add((attempt.state, event))
        attempt.state = TRANSITIONS[attempt.state, event]

    monkeypatch.setattr(Attempt, "advance", advance)
    return taken
