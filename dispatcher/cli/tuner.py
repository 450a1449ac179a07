"""`dispatcher tuner`: what the tuner did and why, and a person's word over it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final, get_args

import click
from rich.table import Table
from rich.text import Text

from dispatcher.control import tuner_store
from dispatcher.control.overrides import RuntimeOverrides, read_overrides, set_override
from dispatcher.control.rules.tuner_state import Event, TunerState
from dispatcher.control.tuner_store import LoggedExperiment
from dispatcher.errors import UnknownName
from dispatcher.messages import TunerMode
from dispatcher.ops.redis_session import with_redis
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.terminal.console import duration, make_console

UNDO_WITHIN_S: Final = 15.0
LOOK_AGAIN_S: Final = 0.2
SHOWN: Final = 20
STYLES: Final[dict[Event, str]] = {
    "tried": "yellow",
    "kept": "green",
    "undone": "magenta",
    "reversed": "cyan",
    "done": "green",
    "refused": "red",
    "observed": "dim",
}
WORDS: Final[dict[Event, str]] = {"tried": "pending", "observed": "would try"}
# Why a remedy that was asked for is not among the actions, wherever this runs.
NEVER: Final = (("phrase cache", "there is no phrase cache yet, so there is nothing to resize or clear"),)


@click.group("tuner")
def tuner() -> None:
    """Show what the tuner did and why, take something back, or tell it how far it may go."""


@tuner.command("log")
@click.option("--last", type=click.IntRange(1, 1000), default=SHOWN, show_default=True, help="How many.")
def show_log(*, last: int) -> None:
    """Show the last experiments: when, why, what, and the verdict."""

    async def show(redis: RedisClient) -> None:
        rows = await tuner_store.read_log(redis)
        _print_table(log_table(rows[-last:]) if rows else Text("the tuner has decided nothing yet"))

    with_redis(show)


@tuner.command("status")
def show_status() -> None:
    """Show the mode, what is in force, and what cannot act here."""

    async def show(redis: RedisClient) -> None:
        state, knobs, found = await asyncio.gather(
            tuner_store.load(redis), read_overrides(redis), instance_table.in_force(redis)
        )
        configured: TunerMode = found.catalogue.tuner.mode if found else "observe"
        for text in status_lines(state, knobs, configured=configured, now=time.time()):
            click.echo(text)

    with_redis(show)


@tuner.command("undo", short_help="Take an experiment back.")
@click.argument("number", type=click.IntRange(1))
def undo(number: int) -> None:
    """Take experiment NUMBER back; the same action is left alone for a day."""

    async def ask(redis: RedisClient) -> None:
        if (await tuner_store.load(redis)).find(number) is None:
            raise UnknownName(f"experiment {number} is not in force; `dispatcher tuner status` lists what is")
        await tuner_store.request_undo(redis, number)
        await _wait_until_gone(redis, number)
        click.echo(f"experiment {number} is taken back")

    with_redis(ask)


@tuner.command("mode", short_help="Set the tuner to off, observe or act.")
@click.argument("mode", type=click.Choice([*get_args(TunerMode), "configured"]))
def choose_mode(mode: str) -> None:
    """Let the tuner be off, observe, or act, over the YAML; `configured` goes by the YAML again.

    In `off` and `observe` it takes back what is in force, one thing a minute.
    """

    async def choose(redis: RedisClient) -> None:
        await set_override(redis, "tuner_mode", None if mode == "configured" else mode)
        click.echo(f"the tuner's mode is {mode} from the next step on")

    with_redis(choose)


async def _wait_until_gone(redis: RedisClient, number: int) -> None:
    try:
        async with asyncio.timeout(UNDO_WITHIN_S):
            while (await tuner_store.load(redis)).find(number) is not None:  # noqa: ASYNC110  it is elsewhere
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError as error:
        raise UnknownName(
            f"experiment {number} is still in force after {UNDO_WITHIN_S:.0f} s; "
            "does a worker of queue control run?"
        ) from error


def _print_table(view: Table | Text) -> None:
    console = make_console()
    console.print(view, soft_wrap=not console.is_terminal)


def log_table(rows: Sequence[LoggedExperiment]) -> Table:
    """Return the experiments as a table, oldest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("no.", "when", "rule"):
        table.add_column(heading, no_wrap=True)
    for heading in ("evidence", "action", "why"):
        table.add_column(heading, overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for row in rows:
        first, latest = row.first, row.latest
        when = datetime.fromtimestamp(first.at_s).astimezone()
        table.add_row(
            *(str(first.number), f"{when:%m-%d %H:%M:%S}", first.cause),
            *(first.evidence, first.action.in_words(), first.why),
            Text(WORDS.get(latest.event, latest.event), style=STYLES[latest.event]),
            latest.verdict,
        )
    return table


def status_lines(
    state: TunerState, knobs: RuntimeOverrides, *, configured: TunerMode, now: float
) -> list[str]:
    """Return what an operator wants to know first, a line each."""
    mode = knobs.tuner_mode or configured
    chosen = f", chosen over {configured} of the YAML" if knobs.tuner_mode else ""
    lines = [f"mode          {mode}{chosen}", f"samples       {len(state.history)}"]
    if state.pending is not None:
        pending = state.pending
        lines.append(f"pending       {pending.number}: {pending.action.in_words()} ({pending.why})")
    lines += [f"in force      {each.number}: {each.action.in_words()} ({each.cause})" for each in state.kept]
    lines += [
        f"left alone    {rest.key}, for another {duration(rest.until_s - now)}"
        for rest in state.rests
        if rest.until_s > now
    ]
    return [*lines, *(f"not available {what}: {why}" for what, why in (*NEVER, *state.missing))]
