"""`dispatcher overload`: the step of overload that is taken, and a pin over it."""

from __future__ import annotations

from typing import Final

import click

from dispatcher.control.overload_status import PIN_CHOICES, pin_as_chosen, read_overload
from dispatcher.ops.redis_session import prints_answer
from dispatcher.redis_client.client import RedisClient

NOTHING: Final = "overload: step 0, full answers"


@click.group("overload")
def overload() -> None:
    r"""Show how far turns are cut while too many wait, or choose that by hand.

    \b
    0  full answers
    1  no hedges, nothing read ahead, no memory updates
    2  short answers as well
    3  standby instances too, and those without a key first
    4  a filler first
    5  "too many at once": new turns are turned away
    """


@overload.command("show")
@prints_answer
async def show(redis: RedisClient) -> list[str]:
    """Show the step, the line, and who pinned what."""
    status = await read_overload(redis)
    fronts = [f"  {front_id}: step {step}" for front_id, step in status.fronts.items()]
    return [status.in_words() or NOTHING, *fronts]


@overload.command("pin", short_help="Take a step, whatever the load; auto ends that.")
@click.argument("step", type=click.Choice(PIN_CHOICES), metavar="STEP|auto")
@prints_answer
async def pin(redis: RedisClient, step: str) -> str:
    """Have all fronts take STEP (0 to 5), whatever the load is; `auto` lets the load decide again.

    Who pinned it, and when, is kept and shown by `dispatcher status`.
    """
    return await pin_as_chosen(redis, step)
