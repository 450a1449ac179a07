"""`dispatcher restart`: parts of a running `dispatcher up` started anew, one by one, without a lost turn."""

from __future__ import annotations

import os
import signal
import time
import uuid
from pathlib import Path
from typing import Final

import click

from dispatcher.errors import StartError, UnknownName
from dispatcher.settings import load_settings
from dispatcher.supervisor.rolling import Progress, Step, Wish, leave_wish, read_progress
from dispatcher.supervisor.state_file import RunningUp, find_up

LOOK_AGAIN_S: Final = 0.1
# The supervisor itself gives each part two minutes.
SILENCE_S: Final = 180.0


@click.command("restart")
@click.argument("parts", metavar="[PART]...", nargs=-1)
def restart(parts: tuple[str, ...]) -> None:
    """Restart parts of the `dispatcher up` of DATA_DIR, one by one, each when the one before is ready.

    Without PART: the workers, then beat, then the fronts. What a part works on may end first (DRAIN_S).
    """
    data_dir = load_settings().data_dir
    running = find_up(data_dir)
    if running is None:
        raise StartError(f"no `dispatcher up` runs on {data_dir}; start it, or set DATA_DIR to its folder")
    unknown = [part for part in parts if part not in running.names]
    if unknown:
        raise UnknownName(f"{', '.join(unknown)}: no such part; these run: {', '.join(running.names)}")
    progress = _follow(data_dir, running, Wish(id=uuid.uuid4().hex, names=parts))
    if any(step.state != "ready" for step in progress.steps):
        raise StartError("the restart did not get through; `dispatcher up` and its logs say why")


def _follow(data_dir: Path, running: RunningUp, wish: Wish) -> Progress:
    """Ask for it, and print each step as it is done."""
    leave_wish(data_dir, wish)
    os.kill(running.pid, signal.SIGUSR1)
    told: set[str] = set()
    give_up_at_s = time.monotonic() + SILENCE_S
    while time.monotonic() < give_up_at_s:
        progress = read_progress(data_dir, wish.id)
        for step in progress.steps if progress else ():
            if step.state in {"ready", "failed", "left"} and step.name not in told:
                told.add(step.name)
                give_up_at_s = time.monotonic() + SILENCE_S
                click.echo(_line(step))
        if progress and progress.is_over:
            return progress
        time.sleep(LOOK_AGAIN_S)
    raise StartError(f"`dispatcher up` (pid {running.pid}) said nothing of the restart for {SILENCE_S:.0f} s")


def _line(step: Step) -> str:
    match step.state:
        case "ready":
            return f"{step.name} is ready again after {step.took_s or 0:.1f} s"
        case "left":
            return f"{step.name} was left as it is"
        case _:
            return f"{step.name} did not come back in {step.took_s or 0:.0f} s"
