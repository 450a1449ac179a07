"""`dispatcher tuner`: experiments of the tuner and its state, undo, and its mode."""

from __future__ import annotations

import asyncio
import time
from typing import Final, get_args

import click
from rich.text import Text

from dispatcher.control import tuner_store
from dispatcher.control.overrides import read_overrides, set_override
from dispatcher.control.tuner_tables import log_table, status_lines
from dispatcher.errors import UnknownName
from dispatcher.messages import TunerMode
from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.terminal.console import print_view

UNDO_TIMEOUT_S: Final = 15.0
UNDO_POLL_INTERVAL_S: Final = 0.2
SHOWN: Final = 20


@click.group("tuner")
def tuner() -> None:
    """Show what the tuner did and why, take something back, or tell it how far it may go."""


@tuner.command("log")
@click.option("--last", type=click.IntRange(1, 1000), default=SHOWN, show_default=True, help="How many.")
@redis_command
async def show_log(redis: RedisClient, *, last: int) -> None:
    """Show the last experiments: when, why, what, and the verdict."""
    experiments = await tuner_store.read_log(redis)
    print_view(log_table(experiments[-last:]) if experiments else Text("the tuner has decided nothing yet"))


@tuner.command("status")
@redis_command
async def show_status(redis: RedisClient) -> None:
    """Show the mode, what is in force, and what cannot act here."""
    state, overrides, found = await asyncio.gather(
        tuner_store.load(redis), read_overrides(redis), instance_table.read_active(redis)
    )
    configured: TunerMode = found.catalogue.tuner.mode if found else "observe"
    for line in status_lines(state, overrides, configured=configured, now=time.time()):
        click.echo(line)


@tuner.command("undo", short_help="Take an experiment back.")
@click.argument("number", type=click.IntRange(1))
@redis_command
async def undo(redis: RedisClient, number: int) -> None:
    """Take experiment NUMBER back; the same action is left alone for a day."""
    if (await tuner_store.load(redis)).find(number) is None:
        raise UnknownName(f"experiment {number} is not in force; `dispatcher tuner status` lists what is")
    await tuner_store.request_undo(redis, number)
    try:
        async with asyncio.timeout(UNDO_TIMEOUT_S):
            while (await tuner_store.load(redis)).find(number) is not None:  # noqa: ASYNC110  it is elsewhere
                await asyncio.sleep(UNDO_POLL_INTERVAL_S)
    except TimeoutError as error:
        raise UnknownName(
            f"experiment {number} is still in force after {UNDO_TIMEOUT_S:.0f} s; "
            "does a worker of queue control run?"
        ) from error
    click.echo(f"experiment {number} is taken back")


@tuner.command("mode", short_help="Set the tuner to off, observe or act.")
@click.argument("mode", type=click.Choice([*get_args(TunerMode), "configured"]))
@redis_command
async def choose_mode(redis: RedisClient, mode: str) -> None:
    """Let the tuner be off, observe, or act, over the YAML; `configured` goes by the YAML again.

    In `off` and `observe` it takes back what is in force, one thing a minute.
    """
    await set_override(redis, "tuner_mode", None if mode == "configured" else mode)
    click.echo(f"the tuner's mode is {mode} from the next step on")
