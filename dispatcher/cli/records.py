"""`dispatcher records`: rows in SQL, the backlog of the stream, losses; recent turns; upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dispatcher.errors import RecordsError, StartError, StateError
from dispatcher.logs import configure_logging
from dispatcher.ops.redis_session import with_redis
from dispatcher.records.record_tables import report_view, turns_view
from dispatcher.settings import load_settings
from dispatcher.telemetry import record_stream
from dispatcher.telemetry.record_stream import StreamState
from dispatcher.terminal.console import print_view

if TYPE_CHECKING:
    from dispatcher.records.store import Store

FAILED_EXIT_CODE = 1


@click.group("records", invoke_without_command=True)
@click.pass_context
def records(context: click.Context) -> None:
    """Show how much is kept in SQL, how much waits in the stream, and what was lost."""
    if context.invoked_subcommand is None:
        _show(context)


@records.command("turns")
@click.option(
    "--last", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many of the newest."
)
@click.option("--device", default="", metavar="ID", help="Only turns of this device.")
def turns(*, last: int, device: str) -> None:
    """Print recent turns, oldest first."""
    with _opened() as (store, _):
        from dispatcher.records.report import read_turns  # noqa: PLC0415  behind the check for the extra

        found = read_turns(store.engine, last=last, device=device)
    print_view(turns_view(found))


@records.command("upgrade")
def upgrade() -> None:
    """Bring the tables to the version of this code; the control worker does so by itself."""
    with _opened() as (store, where):
        store.prepare()
    click.echo(f"the tables of {where} are up to date")


def _show(context: click.Context) -> None:
    stream, stream_trouble = _read_stream()
    with _opened() as (store, where):
        from dispatcher.records.report import read_report  # noqa: PLC0415  behind the check for the extra

        report, trouble = None, ""
        try:
            report = read_report(store.engine)
        except RecordsError as error:
            trouble = str(error)
    print_view(report_view(where, report, trouble=trouble, stream=stream, stream_trouble=stream_trouble))
    if trouble or stream_trouble:
        context.exit(FAILED_EXIT_CODE)


def _read_stream() -> tuple[StreamState | None, str]:
    """Return the state of the stream; an unreachable Redis keeps nobody from reading the store."""
    try:
        return with_redis(record_stream.read_state), ""
    except StateError as error:
        return None, str(error)


@contextmanager
def _opened() -> Iterator[tuple[Store, str]]:
    """Yield the store of DATABASE_URL, and its address without the password."""
    settings = load_settings()
    configure_logging(settings)
    try:
        from dispatcher.records.address import parse, shown  # noqa: PLC0415  an extra that may be missing
        from dispatcher.records.store import Store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise StartError(
            f"records need packages that are not installed ({error.name}): pip install '.[records]'"
        ) from error
    store = Store.at(settings.database)
    try:
        yield store, shown(parse(settings.database))
    finally:
        store.close()
