"""`dispatcher records`: what is kept in SQL, what waits for it, what was lost; recent turns; upgrade."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dispatcher.errors import RecordsError, StartError, StateError
from dispatcher.logs import configure_logging
from dispatcher.ops.redis_session import with_redis
from dispatcher.records.record_tables import report_view, turns_view
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import load_settings
from dispatcher.telemetry import record_stream
from dispatcher.telemetry.record_stream import StreamState
from dispatcher.terminal.console import make_console

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
    console = make_console()
    console.print(turns_view(found), soft_wrap=not console.is_terminal)


@records.command("upgrade")
def upgrade() -> None:
    """Bring the tables to the version of this code; the control worker does so by itself."""
    with _opened() as (store, where):
        store.prepare()
    click.echo(f"the tables of {where} are up to date")


def _show(context: click.Context) -> None:
    stream, stream_trouble = _stream()
    with _opened() as (store, where):
        from dispatcher.records.report import read_report  # noqa: PLC0415  behind the check for the extra

        report, trouble = None, ""
        try:
            report = read_report(store.engine)
        except RecordsError as error:
            trouble = str(error)
    view = report_view(where, report, trouble=trouble, stream=stream, stream_trouble=stream_trouble)
    console = make_console()
    console.print(view, soft_wrap=not console.is_terminal)
    if trouble or stream_trouble:
        context.exit(FAILED_EXIT_CODE)


def _stream() -> tuple[StreamState | None, str]:
    """Return how the stream stands; a Redis that is away keeps nobody from reading the store."""

    async def look(redis: RedisClient) -> StreamState | None:
        return await record_stream.read_state(redis)

    try:
        return with_redis(look), ""
    except StateError as error:
        return None, str(error)


@contextmanager
def _opened() -> Iterator[tuple[Store, str]]:
    """Open the store of DATABASE_URL, and tell where it is without its password."""
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
