"""`dispatcher drain`: an instance gets no new calls."""

from __future__ import annotations

import click

from dispatcher.cli.command_options import instance_argument
from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin
from dispatcher.routing.instance_report import report_instance


@click.command("drain")
@instance_argument
@redis_command
async def drain(redis: RedisClient, name: str) -> None:
    """Give INSTANCE no new calls, until `dispatcher restore INSTANCE`.

    Calls under way end as they would. Restarts do not end it; only a Redis that comes back empty forgets it.
    """
    await admin.drain(redis, name)
    await report_instance(redis, name)
