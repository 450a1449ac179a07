"""The table of processes: what runs where, in which state, for how long, with how much memory."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import psutil
from rich.table import Table
from rich.text import Text

from dispatcher.supervisor.process_runner import ProcessRunner, State
from dispatcher.terminal.console import duration

STYLES: Final[dict[State, str]] = {
    "waiting": "dim",
    "starting": "yellow",
    "ready": "green",
    "restarting": "bold yellow",
    "failed": "bold red",
    "stopping": "yellow",
    "stopped": "dim",
}
_MOVING: Final[frozenset[State]] = frozenset({"starting", "restarting", "stopping"})


def process_table(keepers: Iterable[ProcessRunner], *, spinner: str = "") -> Table:
    """Return the table as of now.

    Args:
        keepers: one row each.
        spinner: shown beside states that will change by themselves.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("process", "what", "where"):
        table.add_column(heading, no_wrap=True)
    table.add_column("pid", justify="right")
    table.add_column("state", no_wrap=True)
    for heading in ("since", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for keeper in keepers:
        table.add_row(*_row(keeper, spinner))
    return table


def _row(keeper: ProcessRunner, spinner: str) -> tuple[str | Text, ...]:
    part = keeper.part
    moving = f" {spinner}" if spinner and keeper.state in _MOVING else ""
    return (
        Text(part.name, style="bold"),
        part.what,
        str(part.address) if part.address else "",
        str(keeper.pid or ""),
        Text(f"{keeper.state}{moving}", style=STYLES[keeper.state]),
        "" if keeper.state == "waiting" else duration(time.monotonic() - keeper.changed_at_s),
        memory(keeper.pid),
    )


def memory(pid: int | None) -> str:
    """Return the resident memory of a process; nothing when it is gone."""
    if pid is None:
        return ""
    try:
        return f"{psutil.Process(pid).memory_info().rss / 1e6:.0f} MB"
    except psutil.Error:
        return ""
