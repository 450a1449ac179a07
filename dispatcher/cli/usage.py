"""`dispatcher usage`: tokens, characters, seconds and cost by device, persona, instance or day."""

from __future__ import annotations

import click

from dispatcher.ops import usage_admin


@click.command("usage")
@click.option(
    "--by",
    type=click.Choice(["device", "persona", "instance", "day"]),
    default="instance",
    show_default=True,
    help="A row for each of these.",
)
@click.option(
    "--since", default="7d", show_default=True, metavar="SPAN", help="Days such as 7d, or a day 2026-11-01."
)
@click.option("--json", "form", flag_value="json", help="For scripts.")
@click.option("--csv", "form", flag_value="csv", help="For a spreadsheet.")
def usage(*, by: str, since: str, form: str | None) -> None:
    """Print what calls used and cost; docs/usage.md says what is counted."""
    usage_admin.print_usage(by=by, since=since, form=form or "table")  # type: ignore[arg-type]
