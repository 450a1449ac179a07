"""`dispatcher restore`: one instance gets calls again."""

from __future__ import annotations

import click

from dispatcher.cli.instance_report import report_instance
from dispatcher.cli.shared_state import with_shared_state
from dispatcher.state import steering
from dispatcher.state.line import RedisLine


@click.command("restore")
@click.argument("name", metavar="INSTANCE")
def restore(name: str) -> None:
    """End draining and ejection of INSTANCE; its health is counted from nothing.

    One that was out gets its share over ten seconds, not at once.
    """

    async def act(line: RedisLine) -> None:
        await steering.restore(line, name)
        await report_instance(line, name)

    with_shared_state(act)
