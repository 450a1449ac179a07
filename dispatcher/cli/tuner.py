"""`dispatcher tuner`: experiments of the tuner and its state, undo, and its mode."""

from __future__ import annotations

from typing import Final, get_args

import click

from dispatcher.control.overrides import set_override
from dispatcher.messages import TunerMode
from dispatcher.ops import tuner_admin
from dispatcher.ops.redis_session import redis_command
from dispatcher.redis_client.client import RedisClient
from dispatcher.terminal.console import print_view

SHOWN: Final = 20


@click.group("tuner")
def tuner() -> None:
    """Show what the tuner did and why, take something back, or tell it how far it may go."""


@tuner.command("log")
@click.option("--last", type=click.IntRange(1, 1000), default=SHOWN, show_default=True, help="How many.")
@redis_command
async def show_log(redis: RedisClient, *, last: int) -> None:
    """Show the last experiments: when, why, what, and the verdict."""
    print_view(await tuner_admin.read_log(redis, last=last))


@tuner.command("status")
@redis_command
async def show_status(redis: RedisClient) -> None:
    """Show the mode, what is in force, and what cannot act here."""
    for line in await tuner_admin.read_status(redis):
        click.echo(line)


@tuner.command("undo", short_help="Take an experiment back.")
@click.argument("number", type=click.IntRange(1))
@redis_command
async def undo(redis: RedisClient, number: int) -> None:
    """Take experiment NUMBER back; the same action is left alone for a day."""
    await tuner_admin.undo(redis, number)
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
