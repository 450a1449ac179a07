"""Questions to the records for the page: asked in a thread, and answered from memory for a while."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from dispatcher.console.recent_turns import TURNS_SHOWN
from dispatcher.errors import RecordsError

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from dispatcher.records.usage import Grouping

Answer = TypeVar("Answer")

_HOUR_MS: Final = 3_600_000
# Length, step and for how long an answer is good, by the name that the page uses.
SPANS: Final[Mapping[str, tuple[int, int, float]]] = {
    "hour": (_HOUR_MS, 60_000, 20.0),
    "day": (24 * _HOUR_MS, 600_000, 120.0),
    "month": (30 * 24 * _HOUR_MS, 6 * _HOUR_MS, 600.0),
}
ALERTS_TTL_S: Final = 10.0
ALERTS_WAIT_S: Final = 0.3
ALERTS_SHOWN: Final = 20
USAGE_TTL_S: Final = 10.0
# A store that did not answer is left alone for so long.
FAILED_TTL_S: Final = 5.0
# An answer that takes longer is told on the page.
LATE_S: Final = 3.0
LATE: Final = f"no answer for {LATE_S:.0f} s"
MISSING: Final = "the packages of the records are not installed here"


class RecordQueries:
    """The store of records as the page sees it; one question at a time.

    Attributes:
        trouble: why it did not answer last; empty while it does.
        trouble_since_s: Unix time since when.
    """

    def __init__(self, engine: Engine | None) -> None:
        """Ask nothing yet; None where the packages of the records are missing."""
        self.trouble = "" if engine is not None else MISSING
        self.trouble_since_s = time.time()
        self._engine = engine
        self._lock = asyncio.Lock()
        self._answers: dict[str, tuple[float, Any]] = {}
        self._alerts: list[Mapping[str, Any]] | None = None
        self._asking: asyncio.Task[None] | None = None

    async def kpi_history(self, span: str) -> Mapping[str, Any] | None:
        """Return the values of each KPI over an hour, a day or a month; None where no store answers."""
        length_ms, step_ms, ttl_s = SPANS[span]

        def ask(engine: Engine) -> Mapping[str, Any]:
            from dispatcher.records import history  # noqa: PLC0415  behind the check for the extra

            asked = history.HistorySpan(length_ms=length_ms, step_ms=step_ms, rolled_up=span == "month")
            now_ms = time.time_ns() // 1_000_000
            return {
                "now_ms": now_ms,
                "step_ms": step_ms,
                "kpis": history.read_kpis(engine, asked, now_ms=now_ms),
            }

        return await self._ask(f"kpis {span}", ask, ttl_s=ttl_s)

    async def known_alerts(self) -> list[Mapping[str, Any]] | None:
        """Return the last begins and ends of alerts as they are known by now, newest first.

        The feed does not wait for SQL: a slow store is no trouble of Redis.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_alerts())
        await asyncio.wait({self._asking}, timeout=ALERTS_WAIT_S)
        return self._alerts

    async def _ask_alerts(self) -> None:
        def ask(engine: Engine) -> list[Mapping[str, Any]]:
            from dispatcher.records import history  # noqa: PLC0415  behind the check for the extra

            return list(history.read_alerts(engine, last=ALERTS_SHOWN))

        self._alerts = await self._ask("alerts", ask, ttl_s=ALERTS_TTL_S)

    async def turns(self) -> list[Mapping[str, Any]] | None:
        """Return the last turns as they were recorded, oldest first; None where no store answers."""

        def ask(engine: Engine) -> list[Mapping[str, Any]]:
            from dispatcher.records.report import read_turns  # noqa: PLC0415  behind the check for the extra

            return [{**json.loads(row["extra"]), **row} for row in read_turns(engine, last=TURNS_SHOWN)]

        return await self._ask("turns", ask, ttl_s=0)

    async def usage(self, by: Grouping, since_day: str) -> list[Mapping[str, Any]] | None:
        """Return what was used since a day, by device and so on; None where no store answers."""

        def ask(engine: Engine) -> list[Mapping[str, Any]]:
            from dispatcher.records import usage  # noqa: PLC0415  behind the check for the extra

            return [asdict(each) for each in usage.read_totals(engine, by=by, since_day=since_day)]

        return await self._ask(f"usage {by} {since_day}", ask, ttl_s=USAGE_TTL_S)

    async def usage_csv(self, by: Grouping, since_day: str) -> str | None:
        """Return the same as CSV, asked anew."""

        def ask(engine: Engine) -> str:
            from dispatcher.records import usage, usage_tables  # noqa: PLC0415  likewise

            return usage_tables.as_csv(usage.read_totals(engine, by=by, since_day=since_day), by=by)

        return await self._ask("usage as CSV", ask, ttl_s=0)

    async def _ask(self, name: str, ask: Callable[[Engine], Answer], *, ttl_s: float) -> Answer | None:
        if self._engine is None:
            return None
        async with self._lock:
            good_until_s, known = self._answers.get(name, (0.0, None))
            if time.monotonic() < good_until_s:
                return cast("Answer | None", known)
            answer: Answer | None = None
            try:
                answer = await self._answer(ask)
            except RecordsError as error:
                ttl_s = FAILED_TTL_S
                self._note_trouble(str(error))
            else:
                self.trouble = ""
            self._answers[name] = (time.monotonic() + ttl_s, answer)
            return answer

    async def _answer(self, ask: Callable[[Engine], Answer]) -> Answer:
        """Return the answer, however late; while it is late that is the trouble."""
        late = asyncio.get_running_loop().call_later(LATE_S, self._note_trouble, LATE)
        try:
            return await asyncio.to_thread(ask_if_there, cast("Engine", self._engine), ask)
        finally:
            late.cancel()

    def _note_trouble(self, reason: str) -> None:
        self.trouble_since_s = self.trouble_since_s if self.trouble else time.time()
        self.trouble = reason


def ask_if_there(engine: Engine, ask: Callable[[Engine], Answer]) -> Answer:
    """Return the answer; to open a file of SQLite that is not there would make it.

    Raises:
        RecordsError: the store is unreachable, or not there yet.
    """
    from dispatcher.records.engine import identity_of  # noqa: PLC0415  behind the check for the extra

    if engine.url.drivername == "sqlite" and identity_of(engine.url) is None:
        raise RecordsError("there are no records yet: the control worker writes the first within seconds")
    return ask(engine)


def open_store(written: str) -> Engine | None:
    """Return the engine of a URL; None where the packages of the records are missing.

    Raises:
        ConfigError: the URL is wrong.
    """
    if not find_spec("sqlalchemy"):
        return None
    from dispatcher.records.address import parse  # noqa: PLC0415  behind the check for the extra
    from dispatcher.records.engine import open_engine  # noqa: PLC0415

    return open_engine(parse(written))
