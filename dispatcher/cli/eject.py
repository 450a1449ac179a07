"""`dispatcher eject`: an instance gets no calls for a while."""

from __future__ import annotations

import click

from dispatcher.ops.instance_holds import seconds_of
from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin
from dispatcher.routing.instance_report import report_instance


def in_seconds(_context: click.Context, _parameter: click.Parameter, written: str | None) -> float | None:
    """Return a length of time such as 30s, 5m or 1h in seconds; None where none was given.

    Raises:
        click.BadParameter: it is no length of time, or too long.
    """
    try:
        return None if written is None else seconds_of(written)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("eject")
@click.argument("name", metavar="INSTANCE")
@click.option(
    *("--for", "for_s"),
    metavar="TIME",
    default="5m",
    show_default=True,
    callback=in_seconds,
    help="How long: 30s, 5m, 1h; at most 24h.",
)
@redis_command
async def eject(redis: RedisClient, name: str, *, for_s: float) -> None:
    """Give INSTANCE no calls for a while; after it, one call at a time probes whether it works.

    Where every instance of the service is out, the least bad is tried all the same: `dispatcher drain`
    keeps calls away whatever happens.
    """
    await admin.eject(redis, name, for_s=for_s)
    await report_instance(redis, name)
