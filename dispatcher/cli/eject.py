"""`dispatcher eject`: an instance gets no calls for a while."""

from __future__ import annotations

import click

from dispatcher.cli.command_options import instance_argument, time_option
from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin
from dispatcher.routing.instance_report import report_instance


@click.command("eject")
@instance_argument
@time_option(default="5m")
@redis_command
async def eject(redis: RedisClient, name: str, *, for_s: float) -> None:
    """Give INSTANCE no calls for a while; after it, one call at a time probes whether it works.

    Where every instance of the service is out, the least bad is tried all the same: `dispatcher drain`
    keeps calls away whatever happens.
    """
    await admin.eject(redis, name, for_s=for_s)
    await report_instance(redis, name)
