"""`dispatcher cap`: the most calls at once of an instance are held at a value."""

from __future__ import annotations

import click

from dispatcher.cli.command_options import instance_argument, time_option
from dispatcher.ops.instance_holds import hold_instance
from dispatcher.ops.redis_session import prints_answer
from dispatcher.redis_client.client import RedisClient


@click.command("cap")
@instance_argument
@click.argument("value", metavar="VALUE")
@time_option()
@prints_answer
async def cap(redis: RedisClient, name: str, value: str, *, for_s: float | None) -> str:
    """Hold the most calls at once of INSTANCE at VALUE, instead of the YAML's and of what the tuner wants.

    It counts from the next call on, calls under way end; restarts do not end it. `auto` as VALUE ends it, or
    the end of --for.
    """
    return await hold_instance(redis, name, "cap", value, for_s=for_s)
