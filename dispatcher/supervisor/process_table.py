"""Table of processes: where each listens, its state, for how long, and its memory."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import psutil
from rich.table import Table
from rich.text import Text

from dispatcher.supervisor.process_lifecycle import State
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.terminal.console import duration

STYLES: Final[dict[State, str]] = {
    "waiting": "dim",
    "starting": "yellow",
    "ready": "green",
    "restarting": "bold yellow",
    "backing off": "bold yellow",
    "failed": "bold red",
    "stopping": "yellow",
    "stopped": "dim",
}
_MOVING: Final[frozenset[State]] = frozenset({"starting", "restarting", "backing off", "stopping"})


def process_table(runners: Iterable[ProcessRunner], *, spinner: str = "") -> Table:
    """Return the table as of now.

    Args:
        runners: one row each.
        spinner: shown beside states that will change by themselves.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("process", "what", "where"):
        table.add_column(heading, no_wrap=True)
    table.add_column("pid", justify="right")
    table.add_column("state", no_wrap=True)
    for heading in ("since", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for runner in runners:
        table.add_row(*_row(runner, spinner))
    return table


def _row(runner: ProcessRunner, spinner: str) -> tuple[str | Text, ...]:
    spec = runner.spec
    moving = f" {spinner}" if spinner and runner.state in _MOVING else ""
    return (
        Text(spec.name, style="bold"),
        spec.what,
        str(spec.address) if spec.address else "",
        str(runner.pid or ""),
        Text(f"{runner.state}{moving}", style=STYLES[runner.state]),
        "" if runner.state == "waiting" else duration(time.monotonic() - runner.lifecycle.changed_at_s),
        memory(runner.pid),
    )


def memory(pid: int | None) -> str:
    """Return the resident memory of a process; nothing when it is gone."""
    if pid is None:
        return ""
    try:
        return f"{psutil.Process(pid).memory_info().rss / 1e6:.0f} MB"
    except psutil.Error:
        return ""
