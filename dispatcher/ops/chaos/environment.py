"""Environment of a chaos test: which processes may get faults, how they are reached and signalled."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Protocol

from dispatcher.supervisor.chaos_marker import MarkedProcess


class Environment(Protocol):
    """One way in which a stack is kept running: what is killed there is started again."""

    async def processes(self) -> tuple[MarkedProcess, ...]:
        """Return the processes that allow faults, as they are now.

        Raises:
            StartError: none does, or no longer; the text says how to allow it.
        """
        ...

    async def send(self, process: MarkedProcess, how: signal.Signals) -> None:
        """Send a signal to a process, after a last check that it still belongs to the stack.

        Raises:
            FaultUnavailable: it does not, or may not be reached.
        """
        ...

    def process_at(
        self, processes: Sequence[MarkedProcess], hostname: str, port: int
    ) -> MarkedProcess | None:
        """Return the process at an instance's address, with host and port to reach it from here."""
        ...

    def entry_urls(self, processes: Sequence[MarkedProcess]) -> tuple[str, ...]:
        """Return where devices connect, as `http://HOST:PORT`; nothing where no process takes them."""
        ...


def running(processes: Sequence[MarkedProcess], role: str) -> tuple[MarkedProcess, ...]:
    """Return the processes of a role that run now."""
    return tuple(process for process in processes if process.role == role and process.pid is not None)
