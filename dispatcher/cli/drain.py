"""`dispatcher drain`: one instance gets no new calls."""

from __future__ import annotations

import click

from dispatcher.cli.instance_report import report_instance
from dispatcher.cli.redis_session import with_shared_state
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin


@click.command("drain")
@click.argument("name", metavar="INSTANCE")
def drain(name: str) -> None:
    """Give INSTANCE no new calls, until `dispatcher restore INSTANCE`.

    Calls under way end as they would. Restarts do not end it; only a Redis that comes back empty forgets it.
    """

    async def act(redis: RedisClient) -> None:
        await admin.drain(redis, name)
        await report_instance(redis, name)

    with_shared_state(act)
