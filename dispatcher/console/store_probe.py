"""Probe of the store of records: does SQL answer, and how fast; asked seldom, and never on the event loop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.console.record_queries import ask_if_there
from dispatcher.errors import RecordsError

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

PROBE_INTERVAL_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAnswer:
    """What the store said: `took_s` is None where it did not answer."""

    took_s: float | None


class StoreProbe:
    """The probe of one console; it has no engine where the packages of the records are missing."""

    def __init__(self, engine: Engine | None) -> None:
        """Ask nothing yet."""
        self._engine = engine
        self._lock = asyncio.Lock()
        self._asked_at_s = float("-inf")
        self._answer: StoreAnswer | None = None

    async def answer(self) -> StoreAnswer | None:
        """Return what the store said within the last ten seconds; None where there can be no store."""
        engine = self._engine
        if engine is None:
            return None
        async with self._lock:
            if time.monotonic() - self._asked_at_s >= PROBE_INTERVAL_S:
                self._answer = await asyncio.to_thread(_ask, engine)
                self._asked_at_s = time.monotonic()
            return self._answer


def _ask(engine: Engine) -> StoreAnswer:
    try:
        return StoreAnswer(took_s=ask_if_there(engine, _time))
    except RecordsError:
        return StoreAnswer(took_s=None)


def _time(engine: Engine) -> float:
    from sqlalchemy import text  # noqa: PLC0415  behind the check for the extra

    from dispatcher.records.engine import transaction  # noqa: PLC0415

    began_at_s = time.monotonic()
    with transaction(engine) as connection:
        connection.execute(text("SELECT 1"))
    return time.monotonic() - began_at_s
