"""`dispatcher eject`: an instance gets no calls for a while."""

from __future__ import annotations

import re
from typing import Final

import click

from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin
from dispatcher.routing.instance_report import report_instance

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?) ?(s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
LONGEST_S: Final = 24 * 3600


def in_seconds(_context: click.Context, _parameter: click.Parameter, written: str) -> float:
    """Return a length of time such as 30s, 5m or 1h in seconds.

    Raises:
        click.BadParameter: it is no length of time, or too long.
    """
    match = _SPAN.fullmatch(written)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds <= LONGEST_S:
        raise click.BadParameter(f"was {written!r}; expected a time such as 30s, 5m or 1h, at most 24h")
    return seconds


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
