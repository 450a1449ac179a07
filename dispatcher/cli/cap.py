"""`dispatcher cap`: the most calls at once of an instance are held at a value."""

from __future__ import annotations

import click

from dispatcher.cli.eject import in_seconds
from dispatcher.ops.instance_holds import hold_instance
from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient


@click.command("cap")
@click.argument("name", metavar="INSTANCE")
@click.argument("value", metavar="VALUE")
@click.option(
    "--for", "for_s", metavar="TIME", callback=in_seconds, help="How long: 30s, 5m, 1h; at most 24h."
)
@redis_command
async def cap(redis: RedisClient, name: str, value: str, *, for_s: float | None) -> None:
    """Hold the most calls at once of INSTANCE at VALUE, instead of the YAML's and of what the tuner wants.

    It counts from the next call on, calls under way end; restarts do not end it. `auto` as VALUE ends it, or
    the end of --for.
    """
    click.echo(await hold_instance(redis, name, "cap", value, for_s=for_s))
