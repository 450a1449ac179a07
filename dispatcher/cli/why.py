"""`dispatcher why`: an explanation of each call of a turn."""

from __future__ import annotations

import click

from dispatcher.errors import UnknownName
from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import decisions
from dispatcher.telemetry import turn_log
from dispatcher.telemetry.turn_explanation import why_view
from dispatcher.terminal.console import print_view


@click.command("why")
@click.argument("turn_id", metavar="TURN")
@redis_command
async def why(redis: RedisClient, turn_id: str) -> None:
    """Explain each call of TURN: candidates, loads, reason, outcome and time, and how the turn ended.

    TURN is the id that log lines carry as turn=..., or at least its first six characters. The last few
    thousand decisions are kept.
    """
    try:
        found = await decisions.of_turn(redis, turn_id)
    except UnknownName:
        # No call was made for a turn that was turned away, or that no worker took.
        end = None if len(turn_id) < decisions.SHORTEST_PREFIX else await turn_log.read_end(redis, turn_id)
        if end is None:
            raise
        print_view(why_view((), end))
        return
    print_view(why_view(found, await turn_log.read_end(redis, found[0].turn_id)))
