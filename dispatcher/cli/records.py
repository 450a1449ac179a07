"""`dispatcher records`: rows in SQL, the backlog of the stream, losses; recent turns; upgrade."""

from __future__ import annotations

from typing import Final

import click

from dispatcher.ops import records_admin
from dispatcher.terminal.console import print_view

FAILED_EXIT_CODE: Final = 1


@click.group("records", invoke_without_command=True)
@click.pass_context
def records(context: click.Context) -> None:
    """Show how much is kept in SQL, how much waits in the stream, and what was lost."""
    if context.invoked_subcommand is not None:
        return
    view, is_whole = records_admin.read_report()
    print_view(view)
    if not is_whole:
        context.exit(FAILED_EXIT_CODE)


@records.command("turns")
@click.option(
    "--last", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many of the newest."
)
@click.option("--device", default="", metavar="ID", help="Only turns of this device.")
def turns(*, last: int, device: str) -> None:
    """Print recent turns, oldest first."""
    print_view(records_admin.recent_turns(last=last, device=device))


@records.command("upgrade")
def upgrade() -> None:
    """Bring the tables to the version of this code; the control worker does so by itself."""
    click.echo(records_admin.upgrade())
