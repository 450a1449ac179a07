"""Records for an operator: a report of store and stream, recent turns, and the upgrade of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import RenderableType

from dispatcher.errors import RecordsError, StateError
from dispatcher.logs import configure_logging
from dispatcher.ops.records_session import records_session
from dispatcher.ops.redis_session import with_redis
from dispatcher.records.record_tables import report_view, turns_view
from dispatcher.settings import load_settings
from dispatcher.telemetry import record_stream
from dispatcher.telemetry.record_stream import StreamState

if TYPE_CHECKING:
    from dispatcher.records.store import Store


def read_report() -> tuple[RenderableType, bool]:
    """Return what is kept, waits and was lost, and whether both store and stream could be read."""
    stream, stream_trouble = _read_stream()
    with opened_store() as (store, where):
        from dispatcher.records.report import read_report  # noqa: PLC0415  behind the check for the extra

        report, trouble = None, ""
        try:
            report = read_report(store.engine)
        except RecordsError as error:
            trouble = str(error)
    view = report_view(where, report, trouble=trouble, stream=stream, stream_trouble=stream_trouble)
    return view, not (trouble or stream_trouble)


def recent_turns(*, last: int, device: str) -> RenderableType:
    """Return a table of recent turns, oldest first; an empty device means all of them."""
    with opened_store() as (store, _):
        from dispatcher.records.report import read_turns  # noqa: PLC0415  behind the check for the extra

        return turns_view(read_turns(store.engine, last=last, device=device))


def upgrade() -> str:
    """Bring the tables to the version of this code; return the line that says so."""
    with opened_store() as (store, where):
        store.prepare()
    return f"the tables of {where} are up to date"


def _read_stream() -> tuple[StreamState | None, str]:
    """Return the state of the stream; an unreachable Redis keeps nobody from reading the store."""
    try:
        return with_redis(record_stream.read_state), ""
    except StateError as error:
        return None, str(error)


@contextmanager
def opened_store() -> Iterator[tuple[Store, str]]:
    """Yield the store of DATABASE_URL, and its address without the password."""
    settings = load_settings()
    configure_logging(settings)
    with records_session(settings.database) as opened:
        yield opened
