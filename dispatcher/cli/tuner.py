"""`dispatcher tuner`: experiments of the tuner and its state, undo, and its mode."""

from __future__ import annotations

from typing import Final, get_args

import click
from rich.console import RenderableType

from dispatcher.control.overrides import set_override
from dispatcher.messages import TunerMode
from dispatcher.ops import tuner_admin
from dispatcher.ops.redis_session import prints_answer
from dispatcher.redis_client.client import RedisClient

SHOWN: Final = 20


@click.group("tuner")
def tuner() -> None:
    """Show what the tuner did and why, take something back, or tell it how far it may go."""


@tuner.command("log")
@click.option("--last", type=click.IntRange(1, 1000), default=SHOWN, show_default=True, help="How many.")
@prints_answer
async def show_log(redis: RedisClient, *, last: int) -> RenderableType:
    """Show the last experiments: when, why, what, and the verdict."""
    return await tuner_admin.read_log(redis, last=last)


@tuner.command("status")
@prints_answer
async def show_status(redis: RedisClient) -> list[str]:
    """Show the mode, what is in force, and what cannot act here."""
    return await tuner_admin.read_status(redis)


@tuner.command("undo", short_help="Take an experiment back.")
@click.argument("number", type=click.IntRange(1))
@prints_answer
async def undo(redis: RedisClient, number: int) -> str:
    """Take experiment NUMBER back; the same action is left alone for a day."""
    await tuner_admin.undo(redis, number)
    return f"experiment {number} is taken back"


@tuner.command("mode", short_help="Set the tuner to off, observe or act.")
@click.argument("mode", type=click.Choice([*get_args(TunerMode), "configured"]))
@prints_answer
async def choose_mode(redis: RedisClient, mode: str) -> str:
    """Let the tuner be off, observe, or act, over the YAML; `configured` goes by the YAML again.

    In `off` and `observe` it takes back what is in force, one thing a minute.
    """
    await set_override(redis, "tuner_mode", None if mode == "configured" else mode)
    return f"the tuner's mode is {mode} from the next step on"
